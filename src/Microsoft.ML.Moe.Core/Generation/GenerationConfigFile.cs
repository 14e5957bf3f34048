using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Reads generation_config.json. Source: huggingface/transformers 4.57 and 5.23, generation/configuration_utils.py.
/// </summary>
internal static class GenerationConfigFile
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "generation_config.json";

    private const string ModelFileName = "config.json";
    private const int MaximumBytes = 1 << 22;
    private const int DefaultLength = 20;

    // what is not supported, and the value that asks for nothing of the kind
    private static readonly (string Name, double Nothing)[] Unsupported =
    [
        ("num_beam_groups", 1), ("diversity_penalty", 0), ("penalty_alpha", 0), ("encoder_repetition_penalty", 1),
        ("encoder_no_repeat_ngram_size", 0), ("guidance_scale", 1), ("prompt_lookup_num_tokens", 0), ("max_time", double.PositiveInfinity),
        ("top_h", double.NaN), ("constraints", double.NaN), ("force_words_ids", double.NaN), ("forced_decoder_ids", double.NaN),
        ("dola_layers", double.NaN), ("watermarking_config", double.NaN), ("token_healing", double.NaN),
    ];

    /// <summary>Reads the files of a folder.</summary>
    /// <exception cref="FileNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported.</exception>
    public static GenerationOptions Read(string pathOrName)
    {
        var folder = PublishedFolder.Find(pathOrName);
        return Read(Contents(folder, FileName), Contents(folder, ModelFileName));
    }

    /// <summary>Reads the contents of the two files; null where there is none.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported.</exception>
    public static GenerationOptions Read(byte[]? generation, byte[]? model)
    {
        var isEncoderDecoder = model is not null && JsonPart.Read(model, ModelFileName, root => root["is_encoder_decoder"].Flag(false));
        var options = isEncoderDecoder
            ? new GenerationOptions { MaximumNewTokens = null, MaximumLength = DefaultLength }
            : new GenerationOptions();
        if (model is not null)
            options = Apply(options, model, ModelFileName);
        return generation is null ? options : Apply(options, generation, FileName);
    }

    /// <summary>Options with what a JSON object says in the names of generation_config.json.</summary>
    /// <param name="options">What holds where it says nothing.</param>
    /// <param name="json">The object.</param>
    /// <param name="file">What errors call it.</param>
    /// <exception cref="InvalidDataException">It is damaged, or asks for what is not supported.</exception>
    public static GenerationOptions Apply(GenerationOptions options, byte[] json, string file)
    {
        try
        {
            return JsonPart.Read(json, file, root => Apply(options, root));
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{file}: {e.Message}", e);
        }
    }

    private static GenerationOptions Apply(GenerationOptions options, JsonPart root)
    {
        foreach (var (name, nothing) in Unsupported)
            if (IsAskedFor(root[name], nothing))
                throw root[name].Fail("asks for what is not supported; remove it or set it to null");

        var length = root["max_length"].IsNull ? options.MaximumLength : root["max_length"].Integer(1);
        int? tokens = !root["max_new_tokens"].IsNull ? root["max_new_tokens"].Integer(1)
            : root["max_length"].IsNull ? options.MaximumNewTokens
            : null;
        // some files say so that nothing is drawn, and that nothing is cut
        var samples = root["do_sample"].Flag(options.Sample);
        var isGreedy = !root["temperature"].IsNull && root["temperature"].Number() == 0;
        var decay = root["exponential_decay_length_penalty"];
        return options with
        {
            MaximumLength = length,
            MaximumNewTokens = tokens,
            MinimumLength = Integer("min_length", options.MinimumLength),
            MinimumNewTokens = Integer("min_new_tokens", options.MinimumNewTokens),
            EndTokens = Ids("eos_token_id", options.EndTokens),
            StopStrings = root["stop_strings"] is { IsNull: false } stops
                ? [.. stops.IsText ? [stops.Text()] : stops.Elements().Select(s => s.Text())]
                : options.StopStrings,
            SequencesPerPrompt = Integer("num_return_sequences", options.SequencesPerPrompt),
            Beams = Integer("num_beams", options.Beams),
            LengthPenalty = Number("length_penalty", options.LengthPenalty),
            EarlyStopping = root["early_stopping"] switch
            {
                { IsNull: true } => options.EarlyStopping,
                { IsText: true } part => part.Text() == "never"
                    ? EarlyStopping.WhenUnableToImprove
                    : throw part.Fail("is none of true, false, \"never\""),
                var part => part.Flag() ? EarlyStopping.WhenComplete : EarlyStopping.WhenUnlikelyToImprove,
            },
            Sample = samples && !isGreedy,
            Temperature = isGreedy ? options.Temperature : Number("temperature", options.Temperature),
            TopK = root["top_k"].IsNull ? options.TopK : root["top_k"].Integer(-1) switch
            {
                -1 => samples ? 0 : options.TopK,
                var k => k,
            },
            TopP = Number("top_p", options.TopP),
            MinP = Number("min_p", options.MinP),
            TypicalP = Number("typical_p", options.TypicalP),
            EpsilonCutoff = Number("epsilon_cutoff", options.EpsilonCutoff),
            EtaCutoff = Number("eta_cutoff", options.EtaCutoff),
            RepetitionPenalty = Number("repetition_penalty", options.RepetitionPenalty),
            NoRepeatNGramSize = Integer("no_repeat_ngram_size", options.NoRepeatNGramSize),
            BannedSequences = root["bad_words_ids"] is { IsNull: false } words
                ? [.. words.Elements().Select(Run)]
                : options.BannedSequences,
            SequenceBiases = root["sequence_bias"] is { IsNull: false } biases
                ? [.. biases.Elements().Select(Bias)]
                : options.SequenceBiases,
            SuppressedTokens = Ids("suppress_tokens", options.SuppressedTokens),
            SuppressedFirstTokens = Ids("begin_suppress_tokens", options.SuppressedFirstTokens),
            ForcedFirstToken = root["forced_bos_token_id"].IsNull ? options.ForcedFirstToken : root["forced_bos_token_id"].Integer(),
            ForcedLastTokens = Ids("forced_eos_token_id", options.ForcedLastTokens),
            LengthDecayStart = decay.IsNull ? options.LengthDecayStart : Pair(decay)[0].Integer(),
            LengthDecayFactor = decay.IsNull ? options.LengthDecayFactor : (float)Pair(decay)[1].Number(),
            RepairScores = root["remove_invalid_values"].Flag(options.RepairScores),
            RenormalizeScores = root["renormalize_logits"].Flag(options.RenormalizeScores),
        };

        int Integer(string name, int absent) => root[name].IsNull ? absent : root[name].Integer();

        float Number(string name, float absent) => root[name].IsNull ? absent : (float)root[name].Number();

        // negative ids stand for no token in some files
        IReadOnlyList<int> Ids(string name, IReadOnlyList<int> absent) => root[name] switch
        {
            { IsNull: true } => absent,
            { IsArray: true } part => [.. part.Elements().Select(id => id.Integer(int.MinValue)).Where(id => id >= 0)],
            var part => part.Integer(int.MinValue) is >= 0 and var id ? [id] : [],
        };
    }

    private static IReadOnlyList<int> Run(JsonPart part) => [.. part.Elements().Select(id => id.Integer())];

    private static SequenceBias Bias(JsonPart part) => new(Run(Pair(part)[0]), (float)Pair(part)[1].Number());

    private static JsonPart[] Pair(JsonPart part) =>
        part.Elements().ToArray() is { Length: 2 } pair ? pair : throw part.Fail("is not a pair");

    private static bool IsAskedFor(JsonPart part, double nothing) => !part.IsNull && (part.IsNumber ? part.Number() != nothing
        : !(part.IsArray && part.Count() == 0) && (part.IsArray || part.IsObject || part.IsText || part.Flag()));

    private static byte[]? Contents(string folder, string name)
    {
        var file = new FileInfo(Path.Combine(folder, name));
        if (!file.Exists)
            return null;
        return file.Length <= MaximumBytes
            ? File.ReadAllBytes(file.FullName)
            : throw new InvalidDataException($"{file.FullName} has {file.Length} bytes, more than a model's configuration can have.");
    }
}
