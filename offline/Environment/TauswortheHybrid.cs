using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>
/// The generator of "Efficient Random Number Generation and Application Using CUDA" (GPU Gems 3, chapter 37), seeded as
/// ML.NET seeds it, so that a seed splits and samples the same rows on either feed.
/// </summary>
internal sealed class TauswortheHybrid : Random
{
    private uint _z1, _z2, _z3, _z4;

    internal TauswortheHybrid(uint seed)
    {
        _z1 = seed;
        _z2 = Murmur.Round(_z1, seed);
        _z3 = Murmur.Round(_z2, seed);
        _z4 = Murmur.Round(_z3, seed);
    }

    public TauswortheHybrid(Random rng)
    {
        _z1 = Seed(128);
        _z2 = Seed(128);
        _z3 = Seed(128);
        _z4 = Seed(0);

        uint Seed(uint least)
        {
            uint value;
            do
                value = ((uint)rng.Next(1 << 16) << 16) | (uint)rng.Next(1 << 16);
            while (value < least);
            return value;
        }
    }

    public override int Next() => (int)(NextBits() is var u ? u + (u & 0x80000000) : 0);

    public override int Next(int maxValue)
    {
        Contracts.CheckParam(maxValue >= 0, nameof(maxValue), "maxValue must be non-negative");
        return (int)((ulong)NextBits() * (ulong)maxValue >> 32);
    }

    public override int Next(int minValue, int maxValue)
    {
        Contracts.CheckParam(minValue <= maxValue, nameof(minValue), "minValue must be less than or equal to maxValue.");
        return (int)((long)(NextDouble() * ((long)maxValue - minValue)) + minValue);
    }

    public override float NextSingle() => (NextBits() >> 9) * (1f / (1 << 23));

    public override double NextDouble() => NextBits() * (1.0 / (1L << 32));

    public override void NextBytes(byte[] buffer)
    {
        foreach (ref var b in buffer.AsSpan())
            b = (byte)Next();
    }

    private uint NextBits()
    {
        _z1 = Step(_z1, 13, 19, 12, ~1u);
        _z2 = Step(_z2, 2, 25, 4, ~7u);
        _z3 = Step(_z3, 3, 11, 17, ~15u);
        _z4 = 1664525 * _z4 + 1013904223;
        return _z1 ^ _z2 ^ _z3 ^ _z4;
    }

    private static uint Step(uint z, int s1, int s2, int s3, uint mask) => ((z & mask) << s3) ^ (((z << s1) ^ z) >> s2);
}
