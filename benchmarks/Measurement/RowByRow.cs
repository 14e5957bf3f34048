namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>Two models' losses of the same rows.</summary>
internal static class RowByRow
{
    /// <summary>The mean of the differences between the rows' losses, and its standard error.</summary>
    /// <param name="losses">A loss for each row.</param>
    /// <param name="others">The other model's, which they are compared with.</param>
    public static (double Mean, double Error) Difference(IReadOnlyList<double> losses, IReadOnlyList<double> others)
    {
        double[] differences = [.. losses.Zip(others, (own, other) => own - other)];
        var mean = differences.Average();
        var variance = differences.Sum(d => (d - mean) * (d - mean)) / Math.Max(1, differences.Length - 1);
        return (mean, Math.Sqrt(variance / differences.Length));
    }
}
