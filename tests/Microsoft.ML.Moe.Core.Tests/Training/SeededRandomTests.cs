using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class SeededRandomTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(161_803_398)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    [InlineData(-1_234_567_890)]
    public void GivesTheNumbersOfRandomAlsoAfterOtherOnes(int seed)
    {
        var actual = new SeededRandom(5);
        for (var i = 0; i < 123; i++)
            actual.Next();
        actual.Restart(seed);

        var expected = new Random(seed);
        for (var i = 0; i < 1000; i++)
        {
            Assert.Equal(expected.Next(), actual.Next());
            Assert.Equal(expected.Next(i + 1), actual.Next(i + 1));
            Assert.Equal(expected.Next(-i, i + 1), actual.Next(-i, i + 1));
            Assert.Equal(expected.NextSingle(), actual.NextSingle());
            Assert.Equal(expected.NextDouble(), actual.NextDouble());
            Assert.Equal(expected.NextInt64(), actual.NextInt64());
        }
    }

    [Fact]
    public void ShufflesAsRandomDoes()
    {
        int[] expected = [.. Enumerable.Range(0, 1000)];
        int[] actual = [.. expected];
        new Random(3).Shuffle(expected);
        new SeededRandom(3).Shuffle(actual);
        Assert.Equal(expected, actual);
    }
}
