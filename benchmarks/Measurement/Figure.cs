namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>A measured ratio.</summary>
/// <param name="Id">Row of the table of goals.</param>
/// <param name="Title">What was measured against what.</param>
/// <param name="Threads">Threads that both sides used.</param>
/// <param name="Ratio">Median of the paired ratios.</param>
/// <param name="Spread">Distance between the quartiles of the paired ratios.</param>
/// <param name="Bound">What the ratio must reach; null where there is no goal.</param>
internal sealed record Figure(string Id, string Title, int Threads, double Ratio, double Spread, Bound? Bound)
{
    /// <summary>Median seconds of our side; null where no time was measured.</summary>
    public double? Seconds { get; init; }

    /// <summary>Median seconds of the reference.</summary>
    public double? ReferenceSeconds { get; init; }

    /// <summary>Least work of our side; null where it is not counted.</summary>
    public Work? Work { get; init; }

    /// <summary>Least work of the reference; null where it is ours.</summary>
    public Work? ReferenceWork { get; init; }

    /// <summary>Whether the goal is reached; true where there is none.</summary>
    public bool IsReached => Bound is not { } bound || bound.Allows(Ratio);
}
