namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Random bits as a function of a key and an element's number, so that any part of a mask can be made again at any time by any
/// thread: a two-round multiply–xorshift hash (constants "lowbias32" by C. Wellons, public domain).
/// </summary>
internal static class RandomBits
{
    public const uint Step = 0x9E3779B9;
    public const uint Factor1 = 0x21F0AAAD;
    public const uint Factor2 = 0x735A2D97;
    public const int Shift1 = 16;
    public const int Shift2 = 15;
    public const int Shift3 = 15;

    /// <summary>The key of one operation's mask.</summary>
    /// <param name="seed">The tape's seed.</param>
    /// <param name="operation">Number of the operation on its tape.</param>
    public static uint Key(ulong seed, uint operation)
    {
        var bits = seed + (operation + 1UL) * 0x9E3779B97F4A7C15UL;
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9UL;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBUL;
        return (uint)((bits ^ (bits >> 31)) >> 16);
    }

    /// <summary>Random numbers below this are dropped.</summary>
    /// <param name="rate">Within [0, 1).</param>
    public static uint Threshold(float rate) => (uint)(rate * 4294967296.0);
}
