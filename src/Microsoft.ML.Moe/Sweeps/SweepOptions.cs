namespace Microsoft.ML.Moe;

/// <summary>By what the trials of a sweep are compared.</summary>
public enum SweepMetric
{
    /// <summary>The log-loss of classifiers and of texts, the root mean squared error of numbers.</summary>
    Automatic,

    /// <summary>Mean negative log-likelihood of the label, or of a token of the text that is to be written, in nats.</summary>
    LogLoss,

    /// <summary>Root mean squared error, in the label's units.</summary>
    RootMeanSquaredError,

    /// <summary>Mean absolute error, in the label's units.</summary>
    MeanAbsoluteError,

    /// <summary>
    /// What <see cref="TextMetric.ExactMatch"/> of the texts that are written lacks to 100; it chooses the best epoch of each trial too, as
    /// do the other metrics of texts.
    /// </summary>
    ExactMatch,

    /// <summary>What <see cref="TextMetric.F1"/> of the texts lacks to 100.</summary>
    F1,

    /// <summary>What <see cref="TextMetric.RougeL"/> of the texts lacks to 100.</summary>
    RougeL,

    /// <summary>What <see cref="TextMetric.RougeLsum"/> of the texts lacks to 100.</summary>
    RougeLsum,
}

/// <summary>How long a sweep searches, on what, and what it keeps. All of it can stay as it is.</summary>
public sealed class SweepOptions
{
    /// <summary>Number of trials where neither <see cref="MaxTrials"/> nor <see cref="TimeBudget"/> says any.</summary>
    internal const int UsualTrials = 27;

    /// <summary>
    /// How long the sweep lasts, trainings before an interruption counted; over 0. It ends within a tenth of it and one training step: what is
    /// being trained is stopped, and its best epoch counts. null sets no limit. Default null.
    /// </summary>
    public TimeSpan? TimeBudget { get; set; }

    /// <summary>
    /// Number of trials, that of the defaults counted. At least 1. null ends with <see cref="TimeBudget"/>, or else after 27. Default null.
    /// </summary>
    public int? MaxTrials { get; set; }

    /// <summary>By what trials are compared. Default <see cref="SweepMetric.Automatic"/>.</summary>
    public SweepMetric Metric { get; set; }

    /// <summary>
    /// Column of the label, as it is in the scored table; of texts, that of what is to be written, or, where the read texts are learned
    /// themselves, that of those. Default <c>Label</c>.
    /// </summary>
    public string LabelColumnName { get; set; } = "Label";

    /// <summary>Column of the score. Default <c>Score</c>.</summary>
    public string ScoreColumnName { get; set; } = "Score";

    /// <summary>Column of the most probable label. Default <c>PredictedLabel</c>.</summary>
    public string PredictedLabelColumnName { get; set; } = "PredictedLabel";

    /// <summary>Column of the probability of true, for binary classifiers. Default <c>Probability</c>.</summary>
    public string ProbabilityColumnName { get; set; } = "Probability";

    /// <summary>Column of what a model writes, for texts. Default <c>Prediction</c>.</summary>
    public string PredictionColumnName { get; set; } = "Prediction";

    /// <summary>
    /// Rows that trials are compared on, with the columns of the training set. null draws <see cref="ValidationShare"/> of the rows. Default null.
    /// </summary>
    public IDataView? ValidationSet { get; set; }

    /// <summary>Share of the rows that trials are compared on where there is no <see cref="ValidationSet"/>. Over 0, at most 0.5. Default 0.1.</summary>
    public float ValidationShare { get; set; } = 0.1f;

    /// <summary>
    /// Whether rows stay in memory as they come to the sweep, so that steps before it run once. Needs that they fit there. Default true.
    /// </summary>
    public bool CacheRows { get; set; } = true;

    /// <summary>
    /// Where the sweep keeps its journal, a line of JSON for each thing that happens; models and checkpoints lie beside it in the folder
    /// <c>FILE.files</c>. With the same file, rows and space a sweep that was interrupted goes on, and ends as if nothing had happened. null keeps
    /// none. Default null.
    /// </summary>
    public string? JournalFile { get; set; }

    /// <summary>
    /// Trials that run side by side, each on one thread. Within [1, 1024]. null takes one for each CPU, as far as memory lasts, and one alone on a
    /// GPU. Default null.
    /// </summary>
    public int? Workers { get; set; }

    /// <summary>
    /// Number of the best trials whose predictions are averaged, if that is better on the validation rows. Within [1, 16]; 1 takes the best alone.
    /// Default 1.
    /// </summary>
    public int EnsembleSize { get; set; } = 1;

    /// <summary>
    /// Whether the winner, unless it is the defaults, is fitted once more with another seed, and compared with the defaults row by row: the
    /// best of many is better by luck too. Default true.
    /// </summary>
    public bool ConfirmWinner { get; set; } = true;

    /// <summary>Seeds proposals, the drawn validation rows and all trials alike. null takes that of the <see cref="MLContext"/>, or else 0. Default null.</summary>
    public int? Seed { get; set; }

    /// <summary>
    /// Is called when a trial begins, after each of its epochs and when it ends; never by two threads at once. Default null.
    /// </summary>
    public Action<SweepTrial>? TrialChanged { get; set; }

    /// <summary>
    /// Ends the sweep as the end of its budget does; the best trial so far is kept. Default <see cref="CancellationToken.None"/>.
    /// </summary>
    public CancellationToken StopToken { get; set; }

    /// <summary>Checks every option and their combinations.</summary>
    /// <exception cref="ArgumentException">An option is impossible; the message names it.</exception>
    public void Validate()
    {
        if (TimeBudget is { } budget && budget <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(TimeBudget), budget, $"{nameof(TimeBudget)} must be over 0.");
        OptionCheck.Range(MaxTrials, 1, 1_000_000, nameof(MaxTrials));
        OptionCheck.Defined(Metric, nameof(Metric));
        OptionCheck.Range(ValidationShare, float.Epsilon, 0.5f, nameof(ValidationShare));
        OptionCheck.Range(Workers, 1, 1024, nameof(Workers));
        OptionCheck.Range(EnsembleSize, 1, 16, nameof(EnsembleSize));
        foreach (var (name, option) in new[]
        {
            (LabelColumnName, nameof(LabelColumnName)),
            (ScoreColumnName, nameof(ScoreColumnName)),
            (PredictedLabelColumnName, nameof(PredictedLabelColumnName)),
            (ProbabilityColumnName, nameof(ProbabilityColumnName)),
            (PredictionColumnName, nameof(PredictionColumnName)),
            (JournalFile ?? "-", nameof(JournalFile)),
        })
        {
            if (string.IsNullOrWhiteSpace(name))
                throw new ArgumentException($"{option} is empty.", option);
        }
    }

    /// <summary>A copy that later changes do not reach.</summary>
    internal SweepOptions Clone() => (SweepOptions)MemberwiseClone();

    /// <summary>Trials at most.</summary>
    internal int TrialLimit => MaxTrials ?? (TimeBudget is null ? UsualTrials : int.MaxValue);
}
