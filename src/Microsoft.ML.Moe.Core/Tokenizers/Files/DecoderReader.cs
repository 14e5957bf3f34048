namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Reads the decoder of tokenizer.json.</summary>
internal static class DecoderReader
{
    /// <summary>Reads a decoder; null for none.</summary>
    public static TokenDecoder? Read(JsonPart part)
    {
        if (part.IsNull)
            return null;
        switch (part["type"].Text())
        {
            case "Sequence":
                return new SequenceDecoder([.. part["decoders"].Elements().Select(Read).OfType<TokenDecoder>()]);
            case "WordPiece":
                return new WordPieceDecoder(part["prefix"].TextOrNull() ?? "##", part["cleanup"].Flag(true));
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "Metaspace":
                var (mark, scheme) = PreTokenizerReader.ReadMetaspace(part);
                return new MetaspaceDecoder(mark, scheme != PrependScheme.Never);
            case "BPEDecoder":
                return new BpeDecoder(part["suffix"].TextOrNull() ?? "</w>");
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Fuse":
                return new FuseDecoder();
            case "Strip":
                return new StripDecoder(CharacterOf(part["content"]), part["start"].Integer(), part["stop"].Integer());
            case "Replace":
                return new ReplaceDecoder(PatternReader.Read(part["pattern"]), part["content"].ShortText());
            case "CTC":
                return new CtcDecoder(
                    part["pad_token"].TextOrNull() ?? "<pad>",
                    part["word_delimiter_token"].TextOrNull() ?? "|",
                    part["cleanup"].Flag(true));
            case var other:
                throw part.Fail($"is of type {other}, which is not supported");
        }
    }

    private static string CharacterOf(JsonPart part)
    {
        var text = part.Text();
        return text.Length > 0 && CodePoints.Count(text) == 1 ? text : throw part.Fail("is not one character");
    }
}
