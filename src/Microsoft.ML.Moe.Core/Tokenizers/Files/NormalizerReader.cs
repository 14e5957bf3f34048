using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Reads the normalizer of tokenizer.json.</summary>
internal static class NormalizerReader
{
    /// <summary>Reads a normalizer; null for none.</summary>
    public static TextNormalizer? Read(JsonPart part)
    {
        if (part.IsNull)
            return null;
        switch (part["type"].Text())
        {
            case "Sequence":
                return new SequenceNormalizer([.. part["normalizers"].Elements().Select(Read).OfType<TextNormalizer>()]);
            case "NFC":
                return new UnicodeFormNormalizer(NormalizationForm.FormC);
            case "NFD":
                return new UnicodeFormNormalizer(NormalizationForm.FormD);
            case "NFKC":
                return new UnicodeFormNormalizer(NormalizationForm.FormKC);
            case "NFKD":
                return new UnicodeFormNormalizer(NormalizationForm.FormKD);
            case "Lowercase":
                return new LowercaseNormalizer();
            case "Strip":
                return new StripNormalizer(part["strip_left"].Flag(true), part["strip_right"].Flag(true));
            case "StripAccents":
                return new StripAccentsNormalizer();
            case "Replace":
                return new ReplaceNormalizer(PatternReader.Read(part["pattern"]), part["content"].ShortText());
            case "Prepend":
                return new PrependNormalizer(part["prepend"].ShortText());
            case "Precompiled":
                return ReadPrecompiled(part);
            case "BertNormalizer" or "Bert":
                var lowercase = part["lowercase"].Flag(true);
                return new BertNormalizer(
                    part["clean_text"].Flag(true),
                    part["handle_chinese_chars"].Flag(true),
                    part["strip_accents"].Flag(lowercase),
                    lowercase);
            case "Nmt":
                return new NmtNormalizer();
            case "ByteLevel":
                return new ByteLevelNormalizer();
            case var other:
                throw part.Fail($"is of type {other}, which is not supported");
        }
    }

    private static PrecompiledNormalizer? ReadPrecompiled(JsonPart part)
    {
        try
        {
            var table = part["precompiled_charsmap"].TextOrNull();
            return string.IsNullOrEmpty(table) ? null : new PrecompiledNormalizer(Convert.FromBase64String(table), part.Where);
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"{part.Where}: precompiled_charsmap is not Base64.", e);
        }
    }
}

/// <summary>Reads patterns of tokenizer.json: {"String": text} or {"Regex": expression}.</summary>
internal static class PatternReader
{
    /// <summary>Reads a pattern.</summary>
    public static TextPattern Read(JsonPart part)
    {
        if (part["String"].TextOrNull() is { } literal)
            return new LiteralPattern(literal);
        return part["Regex"].TextOrNull() is { } expression
            ? new RegexPattern(expression, part.Where)
            : throw part.Fail("is neither a String nor a Regex");
    }
}
