namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Random numbers without state: numbers that depend on a token's logits and a seed only, so that a batch always gives the same plan, on any
/// number of threads.
/// </summary>
internal static class TokenHash
{
    /// <summary>A number for a token.</summary>
    /// <param name="logitsE">The token's router logits.</param>
    /// <param name="seed">Another seed gives other numbers.</param>
    public static ulong Of(ReadOnlySpan<float> logitsE, int seed)
    {
        var hash = Mix((uint)seed);
        foreach (var logit in logitsE)
            hash = Mix(hash ^ BitConverter.SingleToUInt32Bits(logit));
        return hash;
    }

    /// <summary>A number for one of several things of a token.</summary>
    /// <param name="token">The token's number.</param>
    /// <param name="item">Number of the thing.</param>
    public static ulong Of(ulong token, int item) => Mix(token ^ (uint)item);

    /// <summary>The step of SplitMix64 (Steele et al. 2014, "Fast splittable pseudorandom number generators").</summary>
    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
