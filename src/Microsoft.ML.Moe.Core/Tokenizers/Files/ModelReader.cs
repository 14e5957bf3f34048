namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Reads the model of tokenizer.json.</summary>
internal static class ModelReader
{
    private const int MaximumMerges = 1 << 23;

    /// <summary>Reads the model.</summary>
    public static SubwordModel Read(JsonPart part)
    {
        if (!part.IsObject)
            throw part.Fail("is missing");
        return TypeOf(part) switch
        {
            "BPE" => ReadBpe(part),
            "WordPiece" => new WordPieceModel(
                ReadVocabulary(part["vocab"]),
                part["unk_token"].TextOrNull() ?? "[UNK]",
                part["continuing_subword_prefix"].TextOrNull() ?? "##",
                part["max_input_chars_per_word"].IsNull ? 100 : part["max_input_chars_per_word"].Integer()),
            "WordLevel" => new WordLevelModel(ReadVocabulary(part["vocab"]), part["unk_token"].TextOrNull() ?? "<unk>"),
            "Unigram" => ReadUnigram(part),
            var other => throw part.Fail($"is of type {other}; BPE, WordPiece, WordLevel and Unigram are supported"),
        };
    }

    /// <summary>Reads a vocabulary: ids by token.</summary>
    public static Dictionary<string, int> ReadVocabulary(JsonPart part)
    {
        var count = part.Count();
        if (count > SubwordModel.MaximumTokens)
            throw part.Fail($"has {count} entries; {SubwordModel.MaximumTokens} are possible");
        var ids = new Dictionary<string, int>(count);
        foreach (var (text, id) in part.Members())
            ids[Checked(text, part)] = id.Integer(0, SubwordModel.MaximumTokens - 1);
        return ids;
    }

    /// <summary>Reads a line of merges: two tokens and a space between them.</summary>
    public static (string First, string Second) SplitMerge(string line, string where)
    {
        var space = line.IndexOf(' ');
        return space >= 0 && line.LastIndexOf(' ') == space
            ? (line[..space], line[(space + 1)..])
            : throw new InvalidDataException($"{where}: '{line}' is not two tokens with a space between them.");
    }

    /// <summary>Older files do not name the type.</summary>
    private static string TypeOf(JsonPart part) => part["type"].TextOrNull()
        ?? (!part["merges"].IsNull ? "BPE" : part["vocab"].IsArray ? "Unigram" : part["max_input_chars_per_word"].IsNull ? "WordLevel"
            : "WordPiece");

    private static BpeModel ReadBpe(JsonPart part)
    {
        if (!part["dropout"].IsNull && part["dropout"].Number() != 0)
            throw part["dropout"].Fail("is not supported: tokens would be chosen at random. Set it to null");
        var merges = new List<(string, string)>();
        if (part["merges"].Count() > MaximumMerges)
            throw part["merges"].Fail($"has {part["merges"].Count()} entries; {MaximumMerges} are possible");
        foreach (var merge in part["merges"].Elements())
        {
            if (merge.IsArray)
            {
                var pair = merge.Elements().Select(token => token.Text()).ToArray();
                merges.Add(pair.Length == 2 ? (pair[0], pair[1]) : throw merge.Fail($"has {pair.Length} parts"));
            }
            else if (merge.Text() is var line && !line.StartsWith("#version", StringComparison.Ordinal))
            {
                merges.Add(SplitMerge(line, merge.Where));
            }
        }

        return new BpeModel(
            ReadVocabulary(part["vocab"]),
            merges,
            new BpeSettings(
                part["unk_token"].TextOrNull(),
                part["continuing_subword_prefix"].TextOrNull(),
                part["end_of_word_suffix"].TextOrNull(),
                part["fuse_unk"].Flag(false),
                part["byte_fallback"].Flag(false),
                part["ignore_merges"].Flag(false)),
            part.Where);
    }

    private static UnigramModel ReadUnigram(JsonPart part)
    {
        var vocabulary = part["vocab"];
        if (!vocabulary.IsArray || vocabulary.Count() > SubwordModel.MaximumTokens)
            throw vocabulary.Fail($"is not an array of at most {SubwordModel.MaximumTokens} entries");
        var tokens = new List<(string, double)>(vocabulary.Count());
        foreach (var entry in vocabulary.Elements())
        {
            var parts = entry.IsArray && entry.Count() == 2 ? entry.Elements().ToArray() : throw entry.Fail("is not a token and a score");
            tokens.Add((Checked(parts[0].Text(), entry), parts[1].Number()));
        }

        var unknown = part["unk_id"].IsNull ? -1 : part["unk_id"].Integer(0, Math.Max(0, tokens.Count - 1));
        return new UnigramModel(tokens, unknown, part["byte_fallback"].Flag(false));
    }

    private static string Checked(string token, JsonPart part) => token.Length <= SubwordModel.MaximumTokenLength
        ? token
        : throw part.Fail($"has a token of {token.Length} characters; {SubwordModel.MaximumTokenLength} are possible");
}
