using static Microsoft.ML.Moe.Tokenizers.TemplateSlot;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Tokenizers of SentencePiece models as huggingface/transformers puts them together: T5, XLM-R, whose ids are shifted, and Llama. Source:
/// transformers, convert_slow_tokenizer.py.
/// </summary>
internal static class SentencePieceTokenizers
{
    private const string Mark = "▁";
    private const int ExtraIds = 100;

    /// <summary>Puts a tokenizer together.</summary>
    /// <param name="file">The model file.</param>
    /// <param name="name">Its name, which decides where the configuration names no class.</param>
    /// <param name="config">What the configuration says.</param>
    /// <exception cref="InvalidDataException">The class needs a tokenizer.json.</exception>
    public static TokenizerParts Read(SentencePieceFile file, string name, TokenizerConfig config)
    {
        var kind = config.TokenizerClass?.Replace("Fast", "", StringComparison.Ordinal) ?? name switch
        {
            "spiece.model" => "T5Tokenizer",
            "sentencepiece.bpe.model" => "XLMRobertaTokenizer",
            _ => file.IsBpe ? "LlamaTokenizer" : "T5Tokenizer",
        };
        return kind switch
        {
            "T5Tokenizer" when !file.IsBpe => ReadT5(file, name, config),
            "XLMRobertaTokenizer" when !file.IsBpe => ReadXlmRoberta(file, name, config),
            "LlamaTokenizer" when file.IsBpe => ReadLlama(file, name, config),
            _ => throw new InvalidDataException(
                $"A tokenizer of class {kind} in {name} ({(file.IsBpe ? "BPE" : "unigram")}) is not supported without a {TokenizerJson.FileName}."),
        };
    }

    private static TokenizerParts ReadT5(SentencePieceFile file, string name, TokenizerConfig config)
    {
        var extraIds = config.ExtraIds ?? ExtraIds;
        List<(string Text, double Score)> pieces = [
            .. file.Pieces.Select(p => (p.Text, (double)p.Score)),
            .. Enumerable.Range(0, extraIds).Select(i => ($"<extra_id_{extraIds - 1 - i}>", 0.0))];
        var model = new UnigramModel(pieces, file.UnknownId, byteFallback: false);
        var sentinels = config.AdditionalSpecialTokens.Count > 0 || config.AddedTokens.Count > 0
            ? []
            : Enumerable.Range(0, extraIds).Select(i => new AddedToken($"<extra_id_{i}>", Normalized: false, Special: true));
        return Unigram(
            file,
            name,
            model,
            [
                .. ControlPieces(file, 0),
                .. OlderTokenizers.SpecialTokens(config, model, ("eos_token", "</s>", false), ("unk_token", "<unk>", false),
                    ("pad_token", "<pad>", false)),
                .. sentinels,
            ],
            config,
            [First(0), Special("</s>", 0)],
            [First(0), Special("</s>", 0), Second(0), Special("</s>", 0)]);
    }

    private static TokenizerParts ReadXlmRoberta(SentencePieceFile file, string name, TokenizerConfig config)
    {
        const int Shift = 1;
        List<(string Text, double Score)> pieces = [
            ("<s>", 0), ("<pad>", 0), ("</s>", 0), ("<unk>", 0), .. file.Pieces.Skip(3).Select(p => (p.Text, (double)p.Score)),
                ("<mask>", 0)];
        var model = new UnigramModel(pieces, 3, byteFallback: false);
        return Unigram(
            file,
            name,
            model,
            [
                .. ControlPieces(file, Shift),
                .. OlderTokenizers.SpecialTokens(
                    config,
                    model,
                    ("bos_token", "<s>", false),
                    ("eos_token", "</s>", false),
                    ("unk_token", "<unk>", false),
                    ("sep_token", "</s>", false),
                    ("pad_token", "<pad>", false),
                    ("cls_token", "<s>", false),
                    ("mask_token", "<mask>", true)),
            ],
            config,
            [Special("<s>", 0), First(0), Special("</s>", 0)],
            [Special("<s>", 0), First(0), Special("</s>", 0), Special("</s>", 0), Second(0), Special("</s>", 0)]);
    }

    /// <summary>What unigram tokenizers have in common.</summary>
    private static TokenizerParts Unigram(
        SentencePieceFile file,
        string name,
        UnigramModel model,
        List<AddedToken> added,
        TokenizerConfig config,
        ReadOnlySpan<TemplateSlot?> single,
        ReadOnlySpan<TemplateSlot?> pair)
    {
        var scheme = !file.AddsPrefixSpace ? PrependScheme.Never : config.Flag("legacy") ?? true ? PrependScheme.Always
            : PrependScheme.First;
        List<TextNormalizer> normalizers = [
            new StripNormalizer(left: false, right: true), new ReplaceNormalizer(new RegexPattern(" {2,}", name), Mark)];
        if (file.Replacements.Length > 0)
            normalizers.Insert(0, new PrecompiledNormalizer(file.Replacements, name));
        return new TokenizerParts
        {
            Model = model,
            Added = added,
            Normalizer = new SequenceNormalizer(normalizers),
            PreTokenizer = new MetaspacePreTokenizer(Mark, scheme, splits: true),
            PostProcessor = new TemplateProcessing(
                OlderTokenizers.Template(model, name, single), OlderTokenizers.Template(model, name, pair)),
            Decoder = new MetaspaceDecoder(Mark, scheme != PrependScheme.Never),
        };
    }

    private static TokenizerParts ReadLlama(SentencePieceFile file, string name, TokenizerConfig config)
    {
        var ids = new Dictionary<string, int>();
        for (var id = 0; id < file.Pieces.Count; id++)
            ids[file.Pieces[id].Text] = id;
        var settings = new BpeSettings(file.Pieces[file.UnknownId].Text, FusesUnknown: true, ByteFallback: true);
        var model = new BpeModel(ids, MergesOf(file, ids), settings, name);
        var start = config.Flag("add_bos_token") ?? true ? config.Token("bos_token")?.Content ?? "<s>" : null;
        var end = config.Flag("add_eos_token") ?? false ? config.Token("eos_token")?.Content ?? "</s>" : null;
        var isLegacy = config.Flag("legacy") ?? true;
        var decoders = new List<TokenDecoder>
        {
            new ReplaceDecoder(new LiteralPattern(Mark), " "), new ByteFallbackDecoder(), new FuseDecoder(),
        };
        if (file.AddsPrefixSpace)
            decoders.Add(new StripDecoder(" ", 1, 0));
        return new TokenizerParts
        {
            Model = model,
            Added =
            [
                .. ControlPieces(file, 0),
                .. OlderTokenizers.SpecialTokens(config, model, ("bos_token", "<s>", false), ("eos_token", "</s>", false), ("unk_token",
                    "<unk>", false)),
            ],
            Normalizer = !isLegacy ? null : new SequenceNormalizer([
                .. file.AddsPrefixSpace ? [new PrependNormalizer(Mark)] : Array.Empty<TextNormalizer>(),
                new ReplaceNormalizer(new LiteralPattern(" "), Mark)]),
            PreTokenizer = isLegacy
                ? null
                : new MetaspacePreTokenizer(Mark, file.AddsPrefixSpace ? PrependScheme.First : PrependScheme.Never, splits: false),
            PostProcessor = new TemplateProcessing(
                OlderTokenizers.Template(model, name, [.. Around(First(0))]),
                OlderTokenizers.Template(model, name, [.. Around(First(0)), .. Around(Second(1))])),
            Decoder = new SequenceDecoder(decoders),
        };

        TemplateSlot?[] Around(TemplateSlot text) =>
            [start is null ? null : Special(start, text.Segment), text, end is null ? null : Special(end, text.Segment)];
    }

    /// <summary>Control and user-defined pieces, which are found in the text as they stand.</summary>
    private static IEnumerable<AddedToken> ControlPieces(SentencePieceFile file, int shift) => file.Pieces
        .Select((piece, id) => (piece, id))
        .Where(p => p.piece.Kind is SentencePieceKind.Control or SentencePieceKind.UserDefined)
        .Select(p => new AddedToken(p.piece.Text, p.id + shift, Normalized: false, Special: p.piece.Kind == SentencePieceKind.Control));

    /// <summary>
    /// Merges of a BPE model: every way to make a piece of two others, best pieces first, then those with the longest first part; of equal
    /// ones
    /// those of the smallest ids first.
    /// </summary>
    private static List<(string First, string Second)> MergesOf(SentencePieceFile file, Dictionary<string, int> ids)
    {
        var merges = new List<(string First, string Second, float Score)>();
        foreach (var (text, score, _) in file.Pieces)
        {
            var ways = new List<(string First, string Second, float Score)>();
            for (var i = 1; i < text.Length; i++)
                if (!char.IsLowSurrogate(text[i]) && ids.ContainsKey(text[..i]) && ids.ContainsKey(text[i..]))
                    ways.Add((text[..i], text[i..], score));
            merges.AddRange(ways.OrderBy(w => ids[w.First]).ThenBy(w => ids[w.Second]));
        }

        return [.. merges
            .OrderByDescending(m => m.Score)
            .ThenByDescending(m => CodePoints.Count(m.First))
            .ThenByDescending(m => CodePoints.Count(m.Second))
            .Select(m => (m.First, m.Second))];
    }
}
