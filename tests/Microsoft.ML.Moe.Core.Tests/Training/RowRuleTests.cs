using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class RowRuleTests
{
    private static readonly EncodedText Text = TextInput.Create(new() { MaximumTokens = 8, HashBits = 8 }).Encode("x");

    [Fact]
    public void BalancedWeightsGiveEveryClassTheSameSum()
    {
        int[] labels = [0, 0, 0, 0, 0, 0, 1, 1, 3];

        var weights = ClassWeights.For(labels, 4, ClassWeighting.Balanced);

        Assert.Equal(3f, 6 * weights[0], 5);
        Assert.Equal(3f, 2 * weights[1], 5);
        Assert.Equal(3f, weights[3], 5);
        Assert.Equal(1f, weights[2]);
    }

    [Fact]
    public void SquareRootWeightsLieBetween()
    {
        var weights = ClassWeights.For([0, 0, 0, 0, 1], 2, ClassWeighting.SquareRoot);

        Assert.Equal(2f, weights[1] / weights[0], 5);
        Assert.Equal(5f, 4 * weights[0] + weights[1], 5);
    }

    [Fact]
    public void SplitKeepsClassesAndRows()
    {
        var rows = Enumerable.Range(0, 1000).Select(i => new Example<EncodedText>(Text, i % 10 == 0 ? 1 : 0, i)).Append(new(Text, 2, 1000)).ToList();

        var (training, validation) = StratifiedSplit.Of(rows, 0.2f, new Random(1));

        Assert.Equal(rows.Select(r => r.Weight), training.Concat(validation).Select(r => r.Weight).Order());
        Assert.InRange(validation.Count(r => r.Target == 0), 180, 181);
        Assert.InRange(validation.Count(r => r.Target == 1), 20, 21);
        Assert.Contains(training, r => r.Target == 2);
    }

    [Theory]
    [InlineData(1, 25)]
    [InlineData(26_000, 25)]
    [InlineData(65_000, 10)]
    [InlineData(90_000, 7)]
    [InlineData(1_000_000, 4)]
    public void EpochsFallWithTheAmountOfText(int rows, int expected) =>
        Assert.Equal(expected, EpochRule.EpochsFor([.. Enumerable.Repeat(new Example<EncodedText>(Text, 0), rows)]));

    [Theory]
    [InlineData(1, 60)]
    [InlineData(2_000, 25)]
    [InlineData(100_000, 4)]
    public void FewImagesAreShownMoreOften(int rows, int expected)
    {
        var image = new ImageInput(1, 1, 1).Encode([0f]);
        Assert.Equal(expected, EpochRule.EpochsFor([.. Enumerable.Repeat(new Example<ImagePixels>(image, 0), rows)]));
    }
}
