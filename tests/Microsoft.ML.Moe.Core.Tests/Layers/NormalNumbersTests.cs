using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Tests.Layers;

/// <summary>What chance gives parameters: normally distributed, each number independent of the others.</summary>
public class NormalNumbersTests
{
    private const int Count = 1 << 20;
    private const float Deviation = 0.25f;

    public static TheoryData<string> Samples => ["one row", "many rows", "many keys"];

    [Theory]
    [MemberData(nameof(Samples))]
    public void MomentsAreThoseOfTheNormalDistribution(string kind)
    {
        var sample = Sample(kind);
        // six standard errors: √(1/n), √(2/n), √(15/n), √(96/n)
        AssertMoment(sample, 1, 0, 1);
        AssertMoment(sample, 2, 1, 2);
        AssertMoment(sample, 3, 0, 15);
        AssertMoment(sample, 4, 3, 96);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void SoIsTheWholeDistribution(string kind)
    {
        var sorted = Sample(kind);
        Array.Sort(sorted);
        var largest = 0.0;
        var (expected, before, densityBefore) = (0.0, sorted[0], Density(sorted[0]));
        for (var i = 0; i < sorted.Length; i++)
        {
            // from one number to the next, near by, by the trapezoidal rule
            var density = Density(sorted[i]);
            expected += (sorted[i] - before) * (density + densityBefore) / 2;
            (before, densityBefore) = (sorted[i], density);
            largest = Math.Max(largest, Math.Abs(expected - (i + 0.5) / sorted.Length));
        }

        Assert.InRange(expected, 0.9999, 1);

        // Kolmogorov and Smirnov: beyond this by chance once in a thousand samples
        Assert.InRange(largest, 0, 1.95 / Math.Sqrt(Count));
        // and the tails, which it hardly sees: 2·Φ(−4) = 6.334e-5
        Assert.InRange(sorted.Count(x => Math.Abs(x) > 4), 66 - 33, 66 + 33);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(16)] // the other number of a pair
    [InlineData(32)]
    [InlineData(192)] // the same place in the next row
    public void NumbersDoNotTellEachOther(int distance)
    {
        var sample = Sample("many rows");
        var pairs = sample.Zip(sample.Skip(distance)).ToArray();

        // neither themselves nor, as the two of a pair would with a radius in common that was not Rayleigh's, by their squares
        Assert.InRange(Math.Abs(pairs.Average(p => p.First * p.Second)), 0, 6 / Math.Sqrt(Count));
        Assert.InRange(Math.Abs(pairs.Average(p => (p.First * p.First - 1) * (p.Second * p.Second - 1))), 0, 6 * 2 / Math.Sqrt(Count));
    }

    [Fact]
    public void FewerNumbersAreTheFirstOfMore()
    {
        var many = Draw(key: 7, row: 3, 100);
        for (var count = 0; count < many.Length; count++)
            Assert.Equal(many[..count], Draw(7, 3, count));
    }

    [Fact]
    public void OtherRowsAndKeysGiveOthers()
    {
        var all = new[] { Draw(7, 3, 50), Draw(7, 4, 50), Draw(8, 3, 50), Draw(8, 4, 50) }.SelectMany(x => x);
        Assert.Equal(200, all.Distinct().Count());
    }

    private static float[] Draw(ulong key, int row, int count)
    {
        var values = new float[count];
        NormalNumbers.Fill(key, row, Deviation, values);
        return values;
    }

    private static double[] Sample(string kind) =>
    [
        .. (kind switch
        {
            "one row" => Draw(5, 0, Count),
            "many rows" => Enumerable.Range(0, Count).Chunk(192).SelectMany((places, row) => Draw(5, row, places.Length)),
            _ => Enumerable.Range(0, Count / 8).SelectMany(key => Draw((ulong)key, 0, 8)),
        }).Select(x => x / (double)Deviation),
    ];

    private static void AssertMoment(double[] sample, int power, double expected, double variance) =>
        Assert.InRange(sample.Average(x => Power(x, power)) - expected, -6 * Math.Sqrt(variance / Count), 6 * Math.Sqrt(variance / Count));

    private static double Power(double x, int power) => power == 0 ? 1 : x * Power(x, power - 1);

    private static double Density(double x) => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
}
