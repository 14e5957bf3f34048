namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Random numbers of one sequence, the same whatever is generated beside it. Source: Steele et al., Fast Splittable Pseudorandom Number
/// Generators (2014), SplitMix64.
/// </summary>
internal sealed class SequenceRandom
{
    private const ulong Step = 0x9E3779B97F4A7C15;
    private ulong _state;

    /// <summary>Starts a stream.</summary>
    /// <param name="seed">Seed of all streams.</param>
    /// <param name="prompt">Number of the prompt.</param>
    /// <param name="copy">Which of its sequences.</param>
    public SequenceRandom(int seed, long prompt, int copy) =>
        _state = Mix(Mix(Mix((ulong)seed + Step) + (ulong)prompt + Step) + (ulong)copy + Step);

    /// <summary>A number within (0, 1), uniformly.</summary>
    public double Next() => ((Mix(_state += Step) >> 12) + 0.5) / (1UL << 52);

    private static ulong Mix(ulong bits)
    {
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        return bits ^ (bits >> 31);
    }
}
