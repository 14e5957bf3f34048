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
    public void ABiasForTheChoiceIsInNoWeight()
    {
        // sigmoids .73, .5, .27; with the bias expert 2 is ahead
        using var engine = new ManagedEngine(1);
        using var tape = engine.BeginTape(training: false);
        var logits = tape.Constant([1, 0, -1], 1, 3);
        var policy = new TokenChoice(1, normalizeWeights: false) { ScoreFunction = ScoreFunction.Sigmoid };

        var plan = tape.Route(logits, policy, new SequenceLayout([0, 1]), tape.Constant([0, 0, 0.5f], 3));

        Assert.Equal([0], plan.TokensOf(2));
        Assert.Equal(1 / (1 + Math.E), tape.CombineWeights(logits, plan).ToArray().Single(), 1e-6);
        Assert.Throws<ArgumentException>(() => tape.Route(logits, policy, new SequenceLayout([0, 1]), tape.Constant([0, 0], 2)));
    }

    [Fact]
    public void ABiasOnTheSoftmaxDecidesToo()
    {
        // ERNIE 4.5: softmax .67, .24, .09 and a bias of .5 on the last
        var policy = ExpertCapacity.FromTokens(new TokenChoice(1, normalizeWeights: true), 1);
        var plan = policy.PlanOf([2, 1, 0], [0, 0, 0.5f], 3, new SequenceLayout([0, 1]), training: false);

        Assert.Equal([0], plan.TokensOf(0));
        Assert.Equal([0], policy.PlanOf([2, 1, 0], [0, 0, 0.6f], 3, new SequenceLayout([0, 1]), training: false).TokensOf(2));
    }

    [Theory]
    [InlineData(GroupScore.Largest, new[] { 0, 1 })] // group 0 has the largest score
    [InlineData(GroupScore.SumOfTwoLargest, new[] { 2, 3 })] // group 1 the largest sum of two
    public void ExpertsOfOtherGroupsAreLeftOut(GroupScore score, int[] expected)
    {
        // sigmoids: group 0 .95, .05; group 1 .88, .88; group 2 .5, .27
        float[] logits = [3, -3, 2, 2, 0, -1];
        var policy = new TokenChoice(2, normalizeWeights: false)
        {
            ScoreFunction = ScoreFunction.Sigmoid, Groups = new ExpertGroups(3, 1, score),
        };

        var plan = policy.Route(logits, 6, new SequenceLayout([0, 1]), training: false);

        Assert.Equal(expected, Enumerable.Range(0, 6).Where(e => plan.TokensOf(e).Length > 0));
    }

    [Fact]
    public void GroupsThatDoNotFitAreErrors()
    {
        var one = new SequenceLayout([0, 1]);
        Assert.Throws<ArgumentException>(() => new TokenChoice(1, false) { Groups = new ExpertGroups(2, 1) }.Route(new float[3], 3, one, false));
        Assert.Throws<ArgumentException>(() => new TokenChoice(3, false) { Groups = new ExpertGroups(2, 1) }.Route(new float[4], 4, one, false));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertGroups(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertGroups(2, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertGroups(2, 1, (GroupScore)7));
    }

    [Theory]
    [InlineData(0, new[] { 0, 1, 2 })]
    [InlineData(0.3, new[] { 0, 1 })]
    [InlineData(0.5, new[] { 0 })]
    [InlineData(1, new[] { 0 })]
    public void ExpertsFarBehindTheFirstAreSkipped(double threshold, int[] expected)
    {
        // e⁻¹ = .37 and e⁻² = .14 times the first's probability
        var policy = new TokenChoice(3, normalizeWeights: true) { SkipThreshold = threshold };

        var plan = policy.Route([0, -1, -2, -3], 4, new SequenceLayout([0, 1]), training: false);

        Assert.Equal(expected, Enumerable.Range(0, 4).Where(e => plan.TokensOf(e).Length > 0));
    }

    [Fact]
    public void EqualExpertsAreAllKeptByTheHighestThreshold() => Assert.Equal(
        2, new TokenChoice(2, true) { SkipThreshold = 1 }.Route(new float[3], 3, new SequenceLayout([0, 1]), training: false).Pairs);

    [Fact]
    public void MoreExpertsPerTokenThanExpertsIsAnError() =>
        Assert.Throws<ArgumentOutOfRangeException>(
            () => new TokenChoice(4, normalizeWeights: true).Route(new float[9], 3, ThreeTokens, training: false));
}
