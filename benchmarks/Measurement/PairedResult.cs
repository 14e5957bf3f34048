namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>Times of two sides that were measured in turn.</summary>
/// <param name="First">Median seconds of the first side.</param>
/// <param name="Second">Median seconds of the second side.</param>
/// <param name="Ratio">Median over the rounds of first / second.</param>
/// <param name="Spread">Distance between the quartiles of first / second.</param>
internal sealed record PairedResult(double First, double Second, double Ratio, double Spread)
{
    /// <summary>Distance between the quartiles of the first side's seconds.</summary>
    public required double FirstSpread { get; init; }

    /// <summary>Summarises rounds.</summary>
    public static PairedResult Of(IReadOnlyList<(double First, double Second)> rounds, bool inverted)
    {
        var ratios = rounds.Select(r => inverted ? r.Second / r.First : r.First / r.Second).Order().ToArray();
        double[] first = [.. rounds.Select(r => r.First).Order()];
        double[] second = [.. rounds.Select(r => r.Second).Order()];
        return new PairedResult(Quantile(first, 0.5), Quantile(second, 0.5), Quantile(ratios, 0.5), QuartileDistance(ratios))
        {
            FirstSpread = QuartileDistance(first),
        };
    }

    private static double QuartileDistance(double[] sorted) => Quantile(sorted, 0.75) - Quantile(sorted, 0.25);

    private static double Quantile(double[] sorted, double share)
    {
        var position = share * (sorted.Length - 1);
        var low = (int)position;
        var high = Math.Min(low + 1, sorted.Length - 1);
        return sorted[low] + (position - low) * (sorted[high] - sorted[low]);
    }
}
