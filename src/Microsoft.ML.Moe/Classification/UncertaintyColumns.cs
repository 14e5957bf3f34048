namespace Microsoft.ML.Moe.Classification;

/// <summary>Optional columns that tell how unsure the routers are about a row; at least one of them is there.</summary>
/// <param name="Entropy">Receives mean and largest router entropy, or null.</param>
/// <param name="Uncertain">Receives whether the row is uncertain, or null.</param>
/// <param name="Threshold">From which mean entropy a row is uncertain, as a share of the largest possible, ln N.</param>
internal sealed record UncertaintyColumns(string? Entropy, string? Uncertain, double Threshold)
{
    /// <summary>The columns, null when neither is wanted.</summary>
    public static UncertaintyColumns? Of(string? entropy, string? uncertain, double threshold) =>
        entropy is null && uncertain is null ? null : new UncertaintyColumns(entropy, uncertain, threshold);
}
