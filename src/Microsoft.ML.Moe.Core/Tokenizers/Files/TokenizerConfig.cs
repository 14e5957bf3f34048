namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>What <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c> say of a tokenizer.</summary>
internal sealed class TokenizerConfig
{
    /// <summary>Name of the main file.</summary>
    public const string FileName = "tokenizer_config.json";

    /// <summary>Name of the file beside it.</summary>
    public const string MapFileName = "special_tokens_map.json";

    private const double NoMaximum = 1 << 30;
    private readonly Dictionary<string, AddedToken> _tokens = [];
    private readonly HashSet<string> _plain = [];
    private readonly Dictionary<string, bool> _flags = [];

    /// <summary>Name of the class; null where it is not said.</summary>
    public string? TokenizerClass { get; private set; }

    /// <summary>Largest number of tokens, special ones counted; null where it is not said.</summary>
    public int? MaximumLength { get; private set; }

    /// <summary>Number of T5's sentinels; null where it is not said.</summary>
    public int? ExtraIds { get; private set; }

    /// <summary>Further special tokens.</summary>
    public List<AddedToken> AdditionalSpecialTokens { get; } = [];

    /// <summary>Added tokens with their ids (added_tokens_decoder).</summary>
    public List<AddedToken> AddedTokens { get; } = [];

    /// <summary>Reads what there is of the two files.</summary>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    public static TokenizerConfig Read(IReadOnlyDictionary<string, byte[]> files)
    {
        var config = new TokenizerConfig();
        foreach (var name in new[] { MapFileName, FileName })
            if (files.TryGetValue(name, out var json))
                JsonPart.Read(json, name, root => config.Add(root));
        return config;
    }

    /// <summary>A special token by its key, such as <c>cls_token</c>; null where it is not said.</summary>
    public AddedToken? Token(string key) => _tokens.GetValueOrDefault(key);

    /// <summary>Whether a special token is said by its text alone.</summary>
    public bool IsPlain(string key) => _plain.Contains(key);

    /// <summary>A flag; null where it is not said.</summary>
    public bool? Flag(string key) => _flags.TryGetValue(key, out var flag) ? flag : null;

    private static AddedToken ReadToken(JsonPart part) => part.IsText
        ? new AddedToken(part.Text(), Normalized: false, Special: true)
        : new AddedToken(
            part["content"].Text(),
            SingleWord: part["single_word"].Flag(false),
            StripsLeft: part["lstrip"].Flag(false),
            StripsRight: part["rstrip"].Flag(false),
            Normalized: part["normalized"].Flag(false),
            Special: true);

    private bool Add(JsonPart root)
    {
        foreach (var (name, value) in root.Members())
        {
            if (name.EndsWith("_token", StringComparison.Ordinal) && (value.IsText || (value.IsObject && value["content"].IsText)))
            {
                _tokens[name] = ReadToken(value);
                _ = value.IsText ? _plain.Add(name) : _plain.Remove(name);
            }
            else if (name is "do_lower_case" or "strip_accents" or "tokenize_chinese_chars" or "add_prefix_space" or "add_bos_token"
                or "add_eos_token" or "legacy" && !value.IsNull)
                AddFlag(name, value);
        }

        if (root["tokenizer_class"].IsText)
            TokenizerClass = root["tokenizer_class"].Text();
        if (root["model_max_length"].IsNumber && root["model_max_length"].Number() is >= 1 and < NoMaximum and var length)
            MaximumLength = (int)length;
        if (root["extra_ids"].IsNumber)
            ExtraIds = root["extra_ids"].Integer(0, 1000);
        if (root["additional_special_tokens"].IsArray)
        {
            AdditionalSpecialTokens.Clear();
            AdditionalSpecialTokens.AddRange(root["additional_special_tokens"].Elements().Select(ReadToken));
        }

        if (root["added_tokens_decoder"].IsObject)
            foreach (var (id, token) in root["added_tokens_decoder"].Members())
                AddedTokens.Add(ReadToken(token) with
                {
                    Id = int.TryParse(id, out var number) && number is >= 0 and < SubwordModel.MaximumTokens
                        ? number
                        : throw token.Fail($"has the id {id}"),
                    Special = token["special"].Flag(false),
                });
        return true;
    }

    private void AddFlag(string name, JsonPart value)
    {
        if (!value.IsNull)
            _flags[name] = value.Flag();
    }
}
