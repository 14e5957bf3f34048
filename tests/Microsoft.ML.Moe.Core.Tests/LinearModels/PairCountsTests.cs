using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class PairCountsTests
{
    [Fact]
    public void Counts_AreThoseWorkedByHand()
    {
        // A = {the, dog, ate, 2, bones}, B = {the, dog, did, not, eat}; of five pairs each they share ·the and the dog
        float[] expected =
        [
            2 / 5f, 2 / 5f, 2 / 8f, 2 / 5f, 2 / 5f, MathF.Log(6), MathF.Log(6), 0, 0, 1, 1, 0, 1,
        ];
        Assert.Equal(expected, Rows.Of("the dog ate 2 bones", "the dog did not eat").Counts);
    }

    [Fact]
    public void WordsWithDigits_AreComparedAsSets()
    {
        Assert.Equal([1f, 1f], Rows.Of("2 of 3", "3 and 2").Counts[^2..]);
        Assert.Equal([0f, 0f], Rows.Of("2 of 3", "4").Counts[^2..]);
        Assert.Equal([0f, 1f], Rows.Of("2 of 3", "3").Counts[^2..]);
        Assert.Equal([1f, 1f], Rows.Of("none", "here").Counts[^2..]);
    }

    [Theory]
    [InlineData("it does not work", true)]
    [InlineData("it doesn't work", true)]
    [InlineData("it never works", true)]
    [InlineData("it works", false)]
    public void ANegation_IsSeen(string text, bool has) => Assert.Equal(has ? 1f : 0f, Rows.Of(text, "it works").Counts[8]);

    [Fact]
    public void EmptyTexts_GiveFiniteCounts() => Assert.All(Rows.Of("", "").Counts, count => Assert.True(float.IsFinite(count)));
}
