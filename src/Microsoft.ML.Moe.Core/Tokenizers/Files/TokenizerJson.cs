namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Reads <c>tokenizer.json</c>. Source: huggingface/tokenizers, tokenizer/serialization.rs.</summary>
internal static class TokenizerJson
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "tokenizer.json";

    private const int MaximumAddedTokens = 1 << 20;
    private const int MaximumLength = 1 << 30;

    /// <summary>Reads the file.</summary>
    /// <param name="json">Its contents.</param>
    /// <param name="file">What errors call it.</param>
    /// <exception cref="InvalidDataException">It is damaged, or has parts that are not supported; the message names file and
    /// part.</exception>
    public static TokenizerParts Read(byte[] json, string file) => JsonPart.Read(json, file, root =>
    {
        if (root["version"].TextOrNull() is { } version and not "1.0")
            throw root["version"].Fail($"is {version}; 1.0 is supported");
        return new TokenizerParts
        {
            Model = ModelReader.Read(root["model"]),
            Added = ReadAdded(root["added_tokens"]),
            Normalizer = NormalizerReader.Read(root["normalizer"]),
            PreTokenizer = PreTokenizerReader.Read(root["pre_tokenizer"]),
            PostProcessor = PostProcessorReader.Read(root["post_processor"]),
            Decoder = DecoderReader.Read(root["decoder"]),
            Truncation = ReadTruncation(root["truncation"]),
            Padding = ReadPadding(root["padding"]),
        };
    });

    private static List<AddedToken> ReadAdded(JsonPart part)
    {
        var tokens = new List<AddedToken>();
        if (part.IsNull)
            return tokens;
        if (part.Count() > MaximumAddedTokens)
            throw part.Fail($"has {part.Count()} entries; {MaximumAddedTokens} are possible");
        foreach (var token in part.Elements())
        {
            var content = token["content"].Text();
            if (content.Length > SubwordModel.MaximumTokenLength)
                throw token["content"].Fail($"has {content.Length} characters; {SubwordModel.MaximumTokenLength} are possible");
            tokens.Add(new AddedToken(
                content,
                token["id"].Integer(0, SubwordModel.MaximumTokens - 1),
                token["single_word"].Flag(false),
                token["lstrip"].Flag(false),
                token["rstrip"].Flag(false),
                token["normalized"].Flag(true),
                token["special"].Flag(false)));
        }

        return tokens;
    }

    private static TruncationSettings? ReadTruncation(JsonPart part) => part.IsNull
        ? null
        : new TruncationSettings(
            part["max_length"].Integer(0, MaximumLength),
            part["strategy"].TextOrNull() switch
            {
                null or "LongestFirst" => TruncationStrategy.LongestFirst,
                "OnlyFirst" => TruncationStrategy.OnlyFirst,
                "OnlySecond" => TruncationStrategy.OnlySecond,
                var other => throw part["strategy"].Fail($"is {other}, which is not supported"),
            },
            part["stride"].IsNull ? 0 : part["stride"].Integer(0, MaximumLength),
            IsLeft(part["direction"]));

    private static PaddingSettings? ReadPadding(JsonPart part)
    {
        if (part.IsNull)
            return null;
        var strategy = part["strategy"];
        int? length = strategy.IsObject ? strategy["Fixed"].Integer(0, MaximumLength)
            : strategy.TextOrNull() is null or "BatchLongest" ? null
            : throw strategy.Fail($"is {strategy.Text()}, which is not supported");
        var multiple = part["pad_to_multiple_of"];
        return new PaddingSettings(
            part["pad_id"].Integer(0, SubwordModel.MaximumTokens - 1),
            part["pad_token"].Text(),
            part["pad_type_id"].IsNull ? 0 : part["pad_type_id"].Integer(0, MaximumLength),
            length,
            multiple.IsNull ? 0 : multiple.Integer(0, MaximumLength),
            IsLeft(part["direction"]));
    }

    private static bool IsLeft(JsonPart direction) => direction.TextOrNull() switch
    {
        null or "Right" => false,
        "Left" => true,
        var other => throw direction.Fail($"is {other}, which is not supported"),
    };
}
