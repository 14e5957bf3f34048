namespace Microsoft.ML.Moe.Training;

/// <summary>
/// <see cref="Random"/> with a seed, which can be seeded anew: number for number what <c>new Random(seed)</c> gives, so that every step
/// can have a chance of its own without leaving one to the garbage collector. It is Knuth's subtractive generator (The Art of Computer
/// Programming, volume 2, section 3.2.2, as "ran3" in Press et al., Numerical Recipes).
/// </summary>
internal sealed class SeededRandom : Random
{
    private const int Seed = 161_803_398;
    private const int Lags = 55;
    private const int ShortLag = 21;
    private readonly int[] _state = new int[Lags + 1];
    private int _next;
    private int _lagged;

    public SeededRandom(int seed) => Restart(seed);

    /// <summary>Begins again, with a seed.</summary>
    /// <returns>This.</returns>
    public SeededRandom Restart(int seed)
    {
        var last = Seed - (seed == int.MinValue ? int.MaxValue : Math.Abs(seed));
        _state[Lags] = last;
        var number = 1;
        for (var i = 1; i < Lags; i++)
        {
            var place = ShortLag * i % Lags;
            _state[place] = number;
            number = Wrap(last - number);
            last = _state[place];
        }

        for (var round = 0; round < 4; round++)
        {
            for (var i = 1; i <= Lags; i++)
                _state[i] = Wrap(_state[i] - _state[1 + (i + 30) % Lags]);
        }

        (_next, _lagged) = (0, ShortLag);
        return this;
    }

    /// <inheritdoc/>
    public override int Next()
    {
        _next = _next == Lags ? 1 : _next + 1;
        _lagged = _lagged == Lags ? 1 : _lagged + 1;
        var number = _state[_next] - _state[_lagged];
        if (number == int.MaxValue)
            number--;
        return _state[_next] = Wrap(number);
    }

    /// <inheritdoc/>
    public override int Next(int maxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxValue);
        return (int)(Sample() * maxValue);
    }

    /// <inheritdoc/>
    public override long NextInt64()
    {
        while (true)
        {
            var bits = (uint)Next(1 << 22) | ((ulong)(uint)Next(1 << 22) << 22) | ((ulong)(uint)Next(1 << 20) << 44);
            if (bits >> 1 != long.MaxValue)
                return (long)(bits >> 1);
        }
    }

    /// <inheritdoc/>
    public override double NextDouble() => Sample();

    /// <inheritdoc/>
    public override float NextSingle()
    {
        while (true)
        {
            var number = (float)Sample();
            if (number < 1f)
                return number;
        }
    }

    /// <inheritdoc/>
    protected override double Sample() => Next() * (1.0 / int.MaxValue);

    private static int Wrap(int number) => number < 0 ? number + int.MaxValue : number;
}
