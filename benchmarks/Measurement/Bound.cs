namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>What a ratio must reach.</summary>
/// <param name="Value">The bound.</param>
/// <param name="IsLower">Whether the ratio must be at least, and not at most, the bound.</param>
internal readonly record struct Bound(double Value, bool IsLower = false)
{
    public bool Allows(double ratio) => IsLower ? ratio >= Value : ratio <= Value;
}
