namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Random numbers of one row, the same whatever is drawn for others and in whatever order. Source: Steele et al., Fast Splittable
/// Pseudorandom Number Generators (2014), SplitMix64.
/// </summary>
internal sealed class StableRandom
{
    private const ulong Step = 0x9E3779B97F4A7C15;
    private ulong _state;

    /// <summary>Starts a stream.</summary>
    /// <param name="seed">Seed of all streams.</param>
    /// <param name="row">Number of the row.</param>
    /// <param name="stream">Which of its streams.</param>
    public StableRandom(int seed, long row, int stream) =>
        _state = Mix(Mix(Mix((ulong)seed + Step) + (ulong)row + Step) + (ulong)stream + Step);

    /// <summary>A number within (0, 1), uniformly.</summary>
    public double Next() => ((Mix(_state += Step) >> 12) + 0.5) / (1UL << 52);

    private static ulong Mix(ulong bits)
    {
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        return bits ^ (bits >> 31);
    }
}
