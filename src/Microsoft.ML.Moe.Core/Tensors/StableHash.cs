namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// A hash of text that is the same in every process, on every platform and in every version: models depend on it. FNV-1a over
/// UTF-16 units, finished with the 64-bit mixer of SplitMix so that all bits are usable.
/// </summary>
internal static class StableHash
{
    private const ulong FnvOffset = 14695981039346656037;
    private const ulong FnvPrime = 1099511628211;

    /// <summary>Hash of a text under a seed that keeps kinds of features apart.</summary>
    public static ulong Of(ReadOnlySpan<char> text, ulong seed)
    {
        var hash = FnvOffset ^ Mix(seed);
        foreach (var unit in text)
            hash = (hash ^ unit) * FnvPrime;
        return Mix(hash);
    }

    /// <summary>Hash of an ordered pair of hashes.</summary>
    public static ulong Combine(ulong left, ulong right) => Mix(Mix(left) * FnvPrime ^ right);

    /// <summary>SplitMix64's finaliser (Steele et al. 2014): a bijection that spreads every input bit over all output bits.</summary>
    public static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    /// <summary>The hash as a number within [0, 2^bits).</summary>
    public static int Bucket(ulong hash, int bits) => (int)(hash >> (64 - bits));
}
