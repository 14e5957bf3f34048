namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// How a language model continues a text: greedily, by beam search (<see cref="Beams"/> over 1) or by sampling (<see cref="Sample"/>), and
/// what it must not do. Names and meaning are those of generation_config.json, which <see cref="Read"/> reads.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = GenerationOptions.Read("models/OLMoE-1B-7B-0924-Instruct") with
/// {
///     MaximumNewTokens = 200,
///     Sample = true,
///     Temperature = 0.7f,
///     Seed = 1,
/// };
/// ]]></code>
/// </example>
public sealed record GenerationOptions
{
    private const int MostTokens = 1 << 24;

    /// <summary>
    /// How the GW-MoE paper has summaries written (arXiv 2406.12375, released scripts): six beams, no three tokens twice, 10 tokens at
    /// least and 60 at most, the start token counted.
    /// </summary>
    public static GenerationOptions Summarisation { get; } = new()
    {
        Beams = 6,
        NoRepeatNGramSize = 3,
        MaximumNewTokens = null,
        MinimumLength = 10,
        MaximumLength = 60,
    };

    /// <summary>Most tokens of an answer, end token counted; null: <see cref="MaximumLength"/> alone limits it. Within [1, 2²⁴].</summary>
    public int? MaximumNewTokens { get; init => field = OptionCheck.Range(value, 1, MostTokens, nameof(MaximumNewTokens)); } = 256;

    /// <summary>
    /// Most tokens of prompt and answer together; of an encoder–decoder, most tokens of the answer with its start token. Looked at only
    /// where <see cref="MaximumNewTokens"/> is null; if both are, the model's own limit counts. Within [1, 2²⁴].
    /// </summary>
    public int? MaximumLength { get; init => field = OptionCheck.Range(value, 1, MostTokens, nameof(MaximumLength)); }

    /// <summary>An answer does not end by an end token before it has so many tokens. At least 0.</summary>
    public int MinimumNewTokens { get; init => field = OptionCheck.Range(value, 0, MostTokens, nameof(MinimumNewTokens)); }

    /// <summary>
    /// An answer does not end by an end token before it and what <see cref="MaximumLength"/> counts with it have so many tokens. At least
    /// 0.
    /// </summary>
    public int MinimumLength { get; init => field = OptionCheck.Range(value, 0, MostTokens, nameof(MinimumLength)); }

    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyList<int> EndTokens { get; init => field = Ids(value, nameof(EndTokens)); } = ValueList<int>.Empty;

    /// <summary>Texts that end an answer, which is cut before them; they may begin and end within a token. None may be empty.</summary>
    public IReadOnlyList<string> StopStrings
    {
        get;
        init => field = value is null || value.Any(string.IsNullOrEmpty)
            ? throw new ArgumentException($"{nameof(StopStrings)} must be texts that are not empty.", nameof(StopStrings))
            : new ValueList<string>(value);
    } = ValueList<string>.Empty;

    /// <summary>
    /// Answers for each prompt: at most <see cref="Beams"/>, or any number where <see cref="Sample"/> alone is set. Where one answer is asked
    /// for, it is the best of them. Within [1, 1024].
    /// </summary>
    public int SequencesPerPrompt { get; init => field = OptionCheck.Range(value, 1, 1024, nameof(SequencesPerPrompt)); } = 1;

    /// <summary>Beams of beam search; 1: no beam search. Within [1, 1024].</summary>
    public int Beams { get; init => field = OptionCheck.Range(value, 1, 1024, nameof(Beams)); } = 1;

    /// <summary>Sequences that are followed for each prompt: its beams, or its answers.</summary>
    internal int SequencesAtOnce => Math.Max(Beams, SequencesPerPrompt);

    /// <summary>
    /// Exponent p of the score of a finished beam, Σ log-probability / lengthᵖ: over 0 prefers long answers, below 0 short ones. Within
    /// [−100, 100].
    /// </summary>
    public float LengthPenalty { get; init => field = OptionCheck.Range(value, -100f, 100f, nameof(LengthPenalty)); } = 1f;

    /// <summary>When beam search ends.</summary>
    public EarlyStopping EarlyStopping { get; init => field = OptionCheck.Defined(value, nameof(EarlyStopping)); }

    /// <summary>Whether tokens are drawn at random by their probabilities; false takes the most probable ones.</summary>
    public bool Sample { get; init; }

    /// <summary>
    /// Seed of sampling; null stands for 0. An answer depends on it and on the prompt's number, not on other prompts beside it.
    /// </summary>
    public int? Seed { get; init; }

    /// <summary>Divides scores before tokens are drawn: below 1 prefers probable ones. Over 0.</summary>
    public float Temperature { get; init => field = OptionCheck.Positive(value, nameof(Temperature)); } = 1f;

    /// <summary>Tokens are drawn from so many most probable ones; 0: from all. At least 0.</summary>
    public int TopK { get; init => field = OptionCheck.Range(value, 0, MostTokens, nameof(TopK)); } = 50;

    /// <summary>
    /// Tokens are drawn from the fewest most probable ones whose probabilities add up to this; 1: from all. Within [0, 1].
    /// </summary>
    public float TopP { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(TopP)); } = 1f;

    /// <summary>Least probability of a token that is drawn, relative to the most probable one's; 0: any. Within [0, 1].</summary>
    public float MinP { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(MinP)); }

    /// <summary>
    /// Tokens are drawn from the fewest whose information is nearest to the expected one and whose probabilities add up to this; 1: from
    /// all. Within (0, 1]. Source: Meister et al., Locally Typical Sampling (2022).
    /// </summary>
    public float TypicalP { get; init => field = OptionCheck.Range(value, float.Epsilon, 1f, nameof(TypicalP)); } = 1f;

    /// <summary>
    /// Least probability of a token that is drawn; 0: any. Within [0, 1). Source: Hewitt et al., Truncation Sampling (2022).
    /// </summary>
    public float EpsilonCutoff { get; init => field = OptionCheck.Rate(value, nameof(EpsilonCutoff)); }

    /// <summary>
    /// As <see cref="EpsilonCutoff"/>, but less where the model is uncertain: min(ε, √ε · exp(−entropy)); 0: none. Within [0, 1). Source:
    /// as there.
    /// </summary>
    public float EtaCutoff { get; init => field = OptionCheck.Rate(value, nameof(EtaCutoff)); }

    /// <summary>
    /// Divides positive scores of tokens that occur already, the prompt's counted, and multiplies negative ones; 1: leaves them. Over 0.
    /// Source: Keskar et al., CTRL (2019).
    /// </summary>
    public float RepetitionPenalty { get; init => field = OptionCheck.Positive(value, nameof(RepetitionPenalty)); } = 1f;

    /// <summary>No run of so many tokens occurs twice, the prompt counted; 0: any may. At least 0.</summary>
    public int NoRepeatNGramSize { get; init => field = OptionCheck.Range(value, 0, MostTokens, nameof(NoRepeatNGramSize)); }

    /// <summary>Runs of tokens that must not occur (bad_words_ids). None may be empty.</summary>
    public IReadOnlyList<IReadOnlyList<int>> BannedSequences
    {
        get;
        init => field = value is null
            ? throw new ArgumentNullException(nameof(BannedSequences))
            : new ValueList<IReadOnlyList<int>>(value.Select(run => Run(run, nameof(BannedSequences))));
    } = ValueList<IReadOnlyList<int>>.Empty;

    /// <summary>
    /// Runs of tokens and what is added to the score of the last one where the others stand before it. None may be empty.
    /// </summary>
    public IReadOnlyList<SequenceBias> SequenceBiases
    {
        get;
        init => field = value is null || value.Any(bias => bias is null)
            ? throw new ArgumentNullException(nameof(SequenceBiases), "Neither the list nor a bias in it may be null.")
            : new ValueList<SequenceBias>(value.Select(bias => bias with { Tokens = Run(bias.Tokens, nameof(SequenceBiases)) }));
    } = ValueList<SequenceBias>.Empty;

    /// <summary>Tokens that must not occur.</summary>
    public IReadOnlyList<int> SuppressedTokens { get; init => field = Ids(value, nameof(SuppressedTokens)); } = ValueList<int>.Empty;

    /// <summary>Tokens that an answer must not begin with.</summary>
    public IReadOnlyList<int> SuppressedFirstTokens { get; init => field = Ids(value, nameof(SuppressedFirstTokens)); } = ValueList<int>.Empty;

    /// <summary>The first token after a decoder's start token; null: any. At least 0.</summary>
    public int? ForcedFirstToken { get; init => field = OptionCheck.Range(value, 0, int.MaxValue, nameof(ForcedFirstToken)); }

    /// <summary>The last token of an answer that reaches its greatest length is one of these; none: any.</summary>
    public IReadOnlyList<int> ForcedLastTokens { get; init => field = Ids(value, nameof(ForcedLastTokens)); } = ValueList<int>.Empty;

    /// <summary>
    /// Raises the scores of end tokens more and more, beginning behind so many tokens of the answer; null: does not. At least 0.
    /// </summary>
    public int? LengthDecayStart { get; init => field = OptionCheck.Range(value, 0, MostTokens, nameof(LengthDecayStart)); }

    /// <summary>Factor f of <see cref="LengthDecayStart"/>: the n-th token behind it adds |score| · (fⁿ − 1). Over 0.</summary>
    public float LengthDecayFactor { get; init => field = OptionCheck.Positive(value, nameof(LengthDecayFactor)); } = 1f;

    /// <summary>Whether scores that are not numbers count as 0, and infinite ones as the greatest and least number.</summary>
    public bool RepairScores { get; init; }

    /// <summary>Whether scores are made log-probabilities again after all the others (renormalize_logits).</summary>
    public bool RenormalizeScores { get; init; }

    /// <summary>
    /// Reads what the folder of a published model says of generation: generation_config.json, and config.json for what it does not say. The
    /// rest has its defaults here; of an encoder–decoder <see cref="MaximumLength"/> is then 20, as in the library that wrote the files.
    /// </summary>
    /// <param name="pathOrName">
    /// Path of the folder, or name of a model on the hub, which is then looked for in the hub's cache folder.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such folder; the message says what to fetch.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported; the message names it.</exception>
    public static GenerationOptions Read(string pathOrName) => GenerationConfigFile.Read(pathOrName);

    /// <summary>These options, which must ask for one answer.</summary>
    /// <param name="instead">What to do who wants several.</param>
    /// <exception cref="ArgumentException">They ask for several.</exception>
    internal GenerationOptions WithOneAnswer(string instead) => SequencesPerPrompt == 1 ? this : throw Refused(
        $"{nameof(SequencesPerPrompt)} is {SequencesPerPrompt}, but only one answer can be given here: {instead}, or set it to 1.",
        nameof(SequencesPerPrompt));

    private static ArgumentException Refused(string message, string option) => new(message, option);

    private static ValueList<int> Ids(IReadOnlyList<int> ids, string option) => ids is null || ids.Any(id => id < 0)
        ? throw new ArgumentException($"{option} must be token ids, which are at least 0.", option)
        : new ValueList<int>(ids);

    private static ValueList<int> Run(IReadOnlyList<int> ids, string option) => ids is { Count: > 0 }
        ? Ids(ids, option)
        : throw new ArgumentException($"{option} must be runs of one token or more.", option);
}

/// <summary>A run of tokens that is made more or less probable.</summary>
/// <param name="Tokens">The run.</param>
/// <param name="Bias">What is added to the score of its last token where the others stand before it.</param>
public sealed record SequenceBias(IReadOnlyList<int> Tokens, float Bias);
