using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

public class TokenChoiceTests
{
    private static readonly SequenceLayout ThreeTokens = new([0, 3]);

    [Fact]
    public void TakesTheLargestPerToken()
    {
        float[] logits = [3, 1, 2, /**/ 0, 5, 4, /**/ 1, 9, 2];

        var plan = new TokenChoice(2, normalizeWeights: true).Route(logits, 3, ThreeTokens, training: false);

        Assert.Equal([0], plan.TokensOf(0));
        Assert.Equal([1, 2], plan.TokensOf(1));
        Assert.Equal([0, 1, 2], plan.TokensOf(2));
    }

    [Fact]
    public void TiesGoToTheLowerExpert()
    {
        var plan = new TokenChoice(2, normalizeWeights: false).Route(new float[9], 3, ThreeTokens, training: false);

        Assert.Equal([0, 1, 2], plan.TokensOf(0));
        Assert.Equal([0, 1, 2], plan.TokensOf(1));
        Assert.Empty(plan.TokensOf(2).ToArray());
    }

    [Fact]
    public void PaddingIsNotRouted()
    {
        var layout = new SequenceLayout([0, 2, 3], [true, false, true]);

        var plan = new TokenChoice(1, normalizeWeights: false).Route(new float[6], 2, layout, training: true);

        Assert.Equal([0, 2], plan.TokensOf(0));
        Assert.Equal(2, plan.Pairs);
    }

    [Fact]
    public void NaNLogitsStillGiveAPlan()
    {
        float[] logits = [float.NaN, float.NaN, float.NaN];

        var plan = new TokenChoice(2, normalizeWeights: true).Route(logits, 3, new SequenceLayout([0, 1]), training: false);

        Assert.Equal(2, plan.Pairs);
    }

    [Fact]
    public void MoreExpertsPerTokenThanExpertsIsAnError() =>
        Assert.Throws<ArgumentOutOfRangeException>(
            () => new TokenChoice(4, normalizeWeights: true).Route(new float[9], 3, ThreeTokens, training: false));
}
