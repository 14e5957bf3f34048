using Microsoft.ML.Moe.Tensors.Torch;
using TorchSharp;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Which way to run experts is taken, by what a device would need for each.</summary>
public sealed class ExpertWayChoiceTests
{
    private static readonly DeviceCosts Gpu = DeviceCosts.Of(DeviceType.CUDA, torch.ScalarType.Float32);

    // 64 experts of 2048 × 1024 with a gate, 8 a token.
    private static ExpertWork ManySmallExperts(int tokens) => new(tokens, 8 * tokens, 64, 2048, 1024, 3, sizeof(float));

    [Theory]
    [InlineData(1, "Gathered")]
    [InlineData(16, "PaddedToTokens")]
    public void FewTokensAreNotAskedWhereTheyGo(int tokens, string expected)
    {
        var choice = new ExpertWayChoice(ManySmallExperts(tokens), Gpu, () => throw new InvalidOperationException("Nobody should ask."));
        Assert.Equal(expected, choice.Best().ToString());
    }

    [Fact]
    public void WhatTheHostKnowsAlreadyNeedNotBeAsked()
    {
        var work = ManySmallExperts(16);
        Assert.Equal(ExpertWay.PaddedToTokens, new ExpertWayChoice(work, Gpu, () => Rows(work, 1)).Best());
        Assert.Equal(ExpertWay.PaddedToBusiest, new ExpertWayChoice(work, Gpu, () => Rows(work, 1), areRowsKnown: true).Best());
    }

    [Theory]
    [InlineData(64, 1.5, "PaddedToBusiest")]
    [InlineData(64, 40, "PaddedToTokens")]
    [InlineData(16384, 1.5, "OneByOne")]
    public void MoreTokensAreRunByHowTheyFall(int tokens, double skew, string expected)
    {
        var work = ManySmallExperts(tokens);
        Assert.Equal(expected, new ExpertWayChoice(work, Gpu, () => Rows(work, skew)).Best().ToString());
    }

    [Fact]
    public void FewLargeExpertsAreWorthALaunchEachUnlessTheyAreEvenlyBusy()
    {
        var work = new ExpertWork(16384, 2 * 16384, 8, 4096, 14336, 3, sizeof(float));
        Assert.Equal(ExpertWay.PaddedToBusiest, new ExpertWayChoice(work, Gpu, () => Rows(work, 1)).Best());
        Assert.Equal(ExpertWay.OneByOne, new ExpertWayChoice(work, Gpu, () => Rows(work, 1.1)).Best());
    }

    [Fact]
    public void ProcessorTakesALaunchForEveryExpert()
    {
        var work = ManySmallExperts(64);
        var processor = DeviceCosts.Of(DeviceType.CPU, torch.ScalarType.Float32);
        Assert.Equal(ExpertWay.OneByOne, new ExpertWayChoice(work, processor, () => Rows(work, 2)).Best());
    }

    /// <summary>The first expert has so many times its even share, the others share what is left.</summary>
    private static int[] Rows(ExpertWork work, double skew)
    {
        var rows = new int[work.Experts];
        rows[0] = Math.Min(work.Tokens, (int)(skew * work.Pairs / work.Experts));
        var rest = work.Pairs - rows[0];
        for (var expert = 1; expert < rows.Length; expert++)
        {
            rows[expert] = rest / (rows.Length - expert);
            rest -= rows[expert];
        }

        return rows;
    }
}
