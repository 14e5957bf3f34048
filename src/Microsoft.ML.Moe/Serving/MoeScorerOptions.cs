namespace Microsoft.ML.Moe.Serving;

/// <summary>How a <see cref="MoeScorer{TRow, TPrediction}"/> serves a model.</summary>
/// <typeparam name="TRow">A row, as <c>LoadFromEnumerable</c> takes it.</typeparam>
public sealed record MoeScorerOptions<TRow>
{
    /// <summary>Most rows that are scored together. Within [1, 65536]. Default 32.</summary>
    public int MaximumBatch { get; init => field = OptionCheck.Range(value, 1, 1 << 16, nameof(MaximumBatch)); } = 32;

    /// <summary>How long a row waits for others at most, while the batch is not full. Within [0, 1 minute]. Default 1 ms.</summary>
    public TimeSpan MaximumDelay
    {
        get;
        init => field = OptionCheck.Range(value, TimeSpan.Zero, TimeSpan.FromMinutes(1), nameof(MaximumDelay));
    }
    = TimeSpan.FromMilliseconds(1);

    /// <summary>Rows that may wait to be scored; who asks for more waits too. Within [1, 2²⁰]. Default 4096.</summary>
    public int QueueLength { get; init => field = OptionCheck.Range(value, 1, 1 << 20, nameof(QueueLength)); } = 4096;

    /// <summary>
    /// Rows that a model scores before it serves: the first batch would wait for compilation and for buffers. A model that cannot score
    /// them is not served. Default none.
    /// </summary>
    public IReadOnlyList<TRow> WarmUpRows { get; init; } = [];

    /// <summary>
    /// After how many batches the routing of one is measured, for <c>moe.expert.load</c> and <c>moe.uncertain.share</c>; that takes about
    /// as long as scoring it once more, after its answers are out. 0 for never. Within [0, 2³⁰]. Default 64.
    /// </summary>
    public int RoutingInterval { get; init => field = OptionCheck.Range(value, 0, 1 << 30, nameof(RoutingInterval)); } = 64;
}
