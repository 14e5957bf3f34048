namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// The generator behind NumPy's <c>RandomState</c> and what that draws from it, number for number: published protocols choose their rows
/// with it (Matsumoto and Nishimura 1998, "Mersenne twister", MT19937; NumPy's legacy methods).
/// </summary>
internal sealed class MersenneTwister
{
    private const int Words = 624;
    private const int Middle = 397;
    private const uint Twist = 0x9908b0df;
    private const uint UpperBit = 0x80000000;
    private const uint LowerBits = 0x7fffffff;

    private readonly uint[] _state = new uint[Words];
    private int _next = Words;
    private double? _spareGaussian;

    /// <summary>Creates one.</summary>
    /// <param name="seed">The seed, as <c>RandomState(seed)</c>.</param>
    public MersenneTwister(uint seed)
    {
        _state[0] = seed;
        for (var i = 1; i < Words; i++)
            _state[i] = (1812433253u * (_state[i - 1] ^ (_state[i - 1] >> 30))) + (uint)i;
    }

    /// <summary>The next 32 bits.</summary>
    public uint NextBits()
    {
        if (_next == Words)
            Refill();
        var y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    /// <summary>A number evenly of [0, 1), of 53 random bits.</summary>
    public double NextDouble()
    {
        var (high, low) = (NextBits() >> 5, NextBits() >> 6);
        return ((high * 67108864.0) + low) / 9007199254740992.0;
    }

    /// <summary>A number of the normal distribution (Marsaglia's polar method, which makes two at a time).</summary>
    public double NextGaussian()
    {
        if (_spareGaussian is { } spare)
        {
            _spareGaussian = null;
            return spare;
        }

        while (true)
        {
            var (x, y) = ((2.0 * NextDouble()) - 1.0, (2.0 * NextDouble()) - 1.0);
            var square = (x * x) + (y * y);
            if (square is >= 1.0 or 0.0)
                continue;
            var scale = Math.Sqrt(-2.0 * Math.Log(square) / square);
            _spareGaussian = scale * x;
            return scale * y;
        }
    }

    /// <summary>A whole number evenly of [0, <paramref name="largest"/>]; draws nothing where that is 0.</summary>
    public int NextUpTo(int largest)
    {
        if (largest == 0)
            return 0;
        var mask = uint.MaxValue >> System.Numerics.BitOperations.LeadingZeroCount((uint)largest);
        uint value;
        do
            value = NextBits() & mask;
        while (value > largest);
        return (int)value;
    }

    /// <summary>Whole numbers evenly of [0, <paramref name="end"/>), with repetition, as <c>randint(0, end, count)</c>.</summary>
    public int[] NextIndices(int end, int count)
    {
        var indices = new int[count];
        for (var i = 0; i < count; i++)
            indices[i] = NextUpTo(end - 1);
        return indices;
    }

    /// <summary>Shuffles in place, as <c>shuffle</c>.</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (var i = values.Length - 1; i > 0; i--)
        {
            var j = NextUpTo(i);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }

    /// <summary>The numbers from 0 in random order, as <c>permutation(count)</c>.</summary>
    public int[] Permutation(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        Shuffle<int>(order);
        return order;
    }

    private void Refill()
    {
        for (var i = 0; i < Words; i++)
        {
            var y = (_state[i] & UpperBit) | (_state[(i + 1) % Words] & LowerBits);
            _state[i] = _state[(i + Middle) % Words] ^ (y >> 1) ^ ((y & 1) == 0 ? 0 : Twist);
        }

        _next = 0;
    }
}
