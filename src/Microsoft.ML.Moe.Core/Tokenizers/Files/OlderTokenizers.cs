using System.Text;
using static Microsoft.ML.Moe.Tokenizers.TemplateSlot;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Reads tokenizers that have no tokenizer.json, with the parts that huggingface/transformers gives them. Source: transformers,
/// convert_slow_tokenizer.py.
/// </summary>
internal static class OlderTokenizers
{
    private const string Vocabulary = "vocab.json";
    private const string Merges = "merges.txt";
    private const string Lines = "vocab.txt";
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Reads the files.</summary>
    /// <param name="files">Contents by name, of one kind of tokenizer.</param>
    /// <param name="config">What the configuration says.</param>
    /// <exception cref="InvalidDataException">A file is missing or damaged, or the class needs a tokenizer.json.</exception>
    public static TokenizerParts Read(IReadOnlyDictionary<string, byte[]> files, TokenizerConfig config)
    {
        if (files.TryGetValue(Lines, out var lines))
            return ReadWordPiece(lines, config);
        if (files.TryGetValue(Vocabulary, out var vocabulary))
            return ReadByteLevel(
                vocabulary,
                files.GetValueOrDefault(Merges) ?? throw new InvalidDataException(
                    $"{Vocabulary} needs {Merges} beside it, which is missing."),
                config);
        var model = files.Keys.Single(name => name.EndsWith(".model", StringComparison.Ordinal));
        return SentencePieceTokenizers.Read(SentencePieceFile.Read(files[model], model), model, config);
    }

    /// <summary>Special tokens that the configuration names, or else the usual ones, where the vocabulary has them.</summary>
    public static List<AddedToken> SpecialTokens(
        TokenizerConfig config, SubwordModel model, params ReadOnlySpan<(string Key, string Usual, bool StripsLeft)> keys)
    {
        var tokens = new List<AddedToken>();
        foreach (var (key, usual, stripsLeft) in keys)
        {
            var token = config.Token(key) ?? new AddedToken(usual, Normalized: false, Special: true);
            if (stripsLeft && (config.Token(key) is null || config.IsPlain(key)))
                token = token with { StripsLeft = true };
            if (model.TryGetId(token.Content, out _))
                tokens.Add(token);
        }

        tokens.AddRange(config.AdditionalSpecialTokens);
        tokens.AddRange(config.AddedTokens.OrderBy(t => t.Id));
        return tokens;
    }

    /// <summary>A template of texts and special tokens; null parts are left out.</summary>
    /// <exception cref="InvalidDataException">The vocabulary lacks a special token.</exception>
    public static List<TemplatePart> Template(SubwordModel model, string file, params ReadOnlySpan<TemplateSlot?> slots)
    {
        var parts = new List<TemplatePart>();
        foreach (var slot in slots)
        {
            if (slot is not { } known)
                continue;
            parts.Add(known.Token is not { } token ? new TemplatePart(known.Sequence, known.Segment, [], [])
                : model.TryGetId(token, out var id) ? new TemplatePart(-1, known.Segment, [id], [token])
                : throw new InvalidDataException($"{file} lacks the special token '{token}'."));
        }

        return parts;
    }

    private static TokenizerParts ReadWordPiece(byte[] lines, TokenizerConfig config)
    {
        var ids = ReadLines(lines);
        var isMpNet = config.TokenizerClass?.StartsWith("MPNet", StringComparison.Ordinal)
            ?? (ids.ContainsKey("<s>") && ids.ContainsKey("<mask>") && !ids.ContainsKey("[CLS]"));
        var unknown = config.Token("unk_token")?.Content ?? "[UNK]";
        var model = new WordPieceModel(ids, unknown, "##", 100);
        var (start, end) = (
            config.Token("cls_token")?.Content ?? (isMpNet ? "<s>" : "[CLS]"), config.Token("sep_token")?.Content ?? (isMpNet ? "</s>"
                : "[SEP]"));
        if (!ids.ContainsKey(unknown))
            throw new InvalidDataException($"{Lines} lacks the unknown token '{unknown}'.");
        var lowercase = config.Flag("do_lower_case") ?? true;
        return new TokenizerParts
        {
            Model = model,
            Added = SpecialTokens(
                config,
                model,
                ("unk_token", "[UNK]", false),
                ("sep_token", isMpNet ? "</s>" : "[SEP]", false),
                ("pad_token", isMpNet ? "<pad>" : "[PAD]", false),
                ("cls_token", isMpNet ? "<s>" : "[CLS]", false),
                ("mask_token", isMpNet ? "<mask>" : "[MASK]", isMpNet)),
            Normalizer = new BertNormalizer(
                true, config.Flag("tokenize_chinese_chars") ?? true, config.Flag("strip_accents") ?? lowercase, lowercase),
            PreTokenizer = new BertPreTokenizer(),
            PostProcessor = new TemplateProcessing(
                Template(model, Lines, Special(start, 0), First(0), Special(end, 0)),
                Template(model, Lines, Special(start, 0), First(0), Special(end, 0), isMpNet ? Special(end, 0) : null, Second(1), Special(end, 1))),
            Decoder = new WordPieceDecoder("##", cleansUp: true),
        };
    }

    private static TokenizerParts ReadByteLevel(byte[] vocabulary, byte[] merges, TokenizerConfig config)
    {
        var ids = JsonPart.Read(vocabulary, Vocabulary, ModelReader.ReadVocabulary);
        var pairs = ReadText(merges, Merges)
            .Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal))
            .Select(line => ModelReader.SplitMerge(line, Merges))
            .ToList();
        var model = new BpeModel(ids, pairs, new BpeSettings(), Merges);
        var name = config.TokenizerClass?.Replace("Fast", "", StringComparison.Ordinal);
        switch (name)
        {
            case "RobertaTokenizer" or "LongformerTokenizer" or "BartTokenizer" or "LEDTokenizer" or "MvpTokenizer":
            case null when ids.ContainsKey("<s>") && ids.ContainsKey("</s>") && ids.ContainsKey("<mask>"):
                return ByteLevelOfRoberta(model, config);
            case "Qwen2Tokenizer":
                return ByteLevelOfQwen(model, config);
            case null or "GPT2Tokenizer" or "CodeGenTokenizer":
                return ByteLevelOfGpt2(model, config);
            default:
                throw new InvalidDataException(
                    $"A tokenizer of class {config.TokenizerClass} in {Vocabulary} and {Merges} is not supported without a {TokenizerJson.FileName}.");
        }
    }

    private static TokenizerParts ByteLevelOfGpt2(BpeModel model, TokenizerConfig config)
    {
        var start = config.Flag("add_bos_token") ?? false ? config.Token("bos_token")?.Content ?? "<|endoftext|>" : null;
        return new TokenizerParts
        {
            Model = model,
            Added = SpecialTokens(
                config,
                model,
                ("bos_token", "<|endoftext|>", false),
                ("eos_token", "<|endoftext|>", false),
                ("unk_token", "<|endoftext|>", false),
                ("pad_token", "<|endoftext|>", false)),
            PreTokenizer = new ByteLevelPreTokenizer(config.Flag("add_prefix_space") ?? false, splits: true),
            PostProcessor = start is null
                ? null
                : new TemplateProcessing(
                    Template(model, Vocabulary, Special(start, 0), First(0)),
                    Template(model, Vocabulary, Special(start, 0), First(0), Special(start, 1), Second(1))),
            Decoder = new ByteLevelDecoder(),
        };
    }

    private static TokenizerParts ByteLevelOfQwen(BpeModel model, TokenizerConfig config)
    {
        const string Words = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
        return new TokenizerParts
        {
            Model = model,
            Added = SpecialTokens(
                config, model, ("eos_token", "<|endoftext|>", false), ("unk_token", "<|endoftext|>", false), ("pad_token",
                    "<|endoftext|>", false)),
            Normalizer = new UnicodeFormNormalizer(NormalizationForm.FormC),
            PreTokenizer = new SequencePreTokenizer([
                new SplitPreTokenizer(new RegexPattern(Words, Vocabulary), SplitBehavior.Isolated), new ByteLevelPreTokenizer(false,
                    splits: false)]),
            Decoder = new ByteLevelDecoder(),
        };
    }

    private static TokenizerParts ByteLevelOfRoberta(BpeModel model, TokenizerConfig config)
    {
        var addsPrefixSpace = config.Flag("add_prefix_space") ?? false;
        return new TokenizerParts
        {
            Model = model,
            Added = SpecialTokens(
                config,
                model,
                ("bos_token", "<s>", false),
                ("eos_token", "</s>", false),
                ("unk_token", "<unk>", false),
                ("sep_token", "</s>", false),
                ("pad_token", "<pad>", false),
                ("cls_token", "<s>", false),
                ("mask_token", "<mask>", true)),
            PreTokenizer = new ByteLevelPreTokenizer(addsPrefixSpace, splits: true),
            PostProcessor = new SequencePostProcessor([
                new TrimOffsetsProcessing(addsPrefixSpace), new PairProcessing(Token("cls_token", "<s>"), Token("sep_token", "</s>"),
                    isRoberta: true)]),
            Decoder = new ByteLevelDecoder(),
        };

        (string Token, int Id) Token(string key, string usual)
        {
            var content = config.Token(key)?.Content ?? usual;
            return model.TryGetId(content, out var id) ? (content, id)
                : throw new InvalidDataException($"{Vocabulary} lacks the token '{content}'.");
        }
    }

    private static Dictionary<string, int> ReadLines(byte[] bytes)
    {
        var ids = new Dictionary<string, int>();
        var id = 0;
        foreach (var line in ReadText(bytes, Lines))
        {
            if (id == SubwordModel.MaximumTokens || line.Length > SubwordModel.MaximumTokenLength)
                throw new InvalidDataException($"{Lines} has too many or too long lines (line {id + 1}).");
            ids[line] = id++;
        }

        return ids;
    }

    /// <summary>Lines of a UTF-8 file, whatever their ends.</summary>
    private static IEnumerable<string> ReadText(byte[] bytes, string file)
    {
        string text;
        try
        {
            text = Utf8.GetString(bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsSpan(3) : bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"{file} is not UTF-8.", e);
        }

        for (var start = 0; start < text.Length;)
        {
            var end = text.IndexOf('\n', start);
            end = end < 0 ? text.Length : end;
            yield return text[start..(end > start && text[end - 1] == '\r' ? end - 1 : end)];
            start = end + 1;
        }
    }
}

/// <summary>A place in a template: for a special token, or for one of the texts.</summary>
/// <param name="Token">The special token; null for a text.</param>
/// <param name="Sequence">0 for the first text, 1 for the second.</param>
/// <param name="Segment">Segment of what stands there.</param>
internal readonly record struct TemplateSlot(string? Token, int Sequence, int Segment)
{
    /// <summary>A place for a special token.</summary>
    public static TemplateSlot Special(string token, int segment) => new(token, -1, segment);

    /// <summary>The place of the first text.</summary>
    public static TemplateSlot First(int segment) => new(null, 0, segment);

    /// <summary>The place of the second text.</summary>
    public static TemplateSlot Second(int segment) => new(null, 1, segment);
}
