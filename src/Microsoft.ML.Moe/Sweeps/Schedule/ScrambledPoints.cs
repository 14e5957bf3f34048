namespace Microsoft.ML.Moe.Sweeps.Schedule;

/// <summary>
/// Points that fill a cube evenly, whatever their number: Halton's sequence, whose digits are permuted at random, each place of each dimension by
/// itself (Owen 2017, "A randomized Halton algorithm in R"). A point follows from seed and number alone.
/// </summary>
internal sealed class ScrambledPoints
{
    private const double Precision = 1e-15;
    private readonly int _seed;
    private readonly int[] _bases;

    /// <param name="dimensions">Coordinates of a point, at least 0.</param>
    /// <param name="seed">Seeds the permutations.</param>
    public ScrambledPoints(int dimensions, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(dimensions);
        (_seed, _bases) = (seed, [.. Primes().Take(dimensions)]);
    }

    /// <summary>A point.</summary>
    /// <param name="number">Its number, from 0.</param>
    /// <returns>Coordinates within [0, 1).</returns>
    public double[] this[int number]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(number);
            return [.. _bases.Select((b, dimension) => Coordinate(number, b, dimension))];
        }
    }

    private double Coordinate(long number, int b, int dimension)
    {
        var (sum, unit) = (0.0, 1.0 / b);
        for (var place = 0; unit > Precision; place++, unit /= b, number /= b)
            sum += unit * Permutation(b, dimension, place)[number % b];
        return Math.Min(sum, 1 - Precision);
    }

    private int[] Permutation(int b, int dimension, int place)
    {
        var digits = Enumerable.Range(0, b).ToArray();
        new Random(HashCode(dimension, place)).Shuffle(digits);
        return digits;
    }

    /// <summary>Not <see cref="System.HashCode"/>, which differs from process to process.</summary>
    private int HashCode(int dimension, int place)
    {
        var hash = unchecked((uint)_seed * 0x9E3779B1u + (uint)dimension * 0x85EBCA6Bu + (uint)place * 0xC2B2AE35u);
        hash = unchecked((hash ^ (hash >> 16)) * 0x7FEB352Du);
        hash = unchecked((hash ^ (hash >> 15)) * 0x846CA68Bu);
        return (int)(hash ^ (hash >> 16));
    }

    private static IEnumerable<int> Primes()
    {
        for (var number = 2; ; number++)
            if (Enumerable.Range(2, (int)Math.Sqrt(number) - 1).All(divisor => number % divisor != 0))
                yield return number;
    }
}
