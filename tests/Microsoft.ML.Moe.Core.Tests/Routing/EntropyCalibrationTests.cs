using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

public class EntropyCalibrationTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.1, 1)]
    [InlineData(0.25, 2)] // 2.5 tokens: 2 and 3 are equally near
    [InlineData(0.3, 3)]
    [InlineData(0.97, 10)]
    [InlineData(1, 10)]
    public void TheWantedShareOfDifferentTokensIsUncertain(double share, int expected) =>
        Assert.Equal(expected, Uncertain([0f, 1, 2, 3, 4, 5, 6, 7, 8, 9], share));

    [Theory]
    [InlineData(0.1, 0)] // four equals at the top: 0 is nearer to 1 than 4 is
    [InlineData(0.3, 4)] // 4 is nearer to 3 than 0 is
    [InlineData(0.5, 4)]
    [InlineData(0.8, 9)] // 4 or 9 or 10: 9 is nearest to 8
    public void EqualEntropiesStayTogether(double share, int expected) =>
        Assert.Equal(expected, Uncertain([1f, 1, 1, 1, 2, 2, 2, 2, 2, 3], share));

    [Fact]
    public void ATokenOfKnownEntropyIsItsThreshold()
    {
        // two experts at 1/2 each: ln 2, less the 1e-5 of the formula
        var calibration = new EntropyCalibration();
        calibration.Add(4, [0, 0], 2, new SequenceLayout([0, 1]));

        Assert.Equal(Math.Log(2), calibration.ThresholdOf(4, 1), 1e-4);
    }

    [Fact]
    public void BlocksAreApartPassesAddUpAndPaddingIsLeftOut()
    {
        var calibration = new EntropyCalibration();
        calibration.Add(0, [9, 0, /**/ 0, 0], 2, new SequenceLayout([0, 2], [true, false]));
        calibration.Add(0, [8, 0], 2, new SequenceLayout([0, 1]));
        calibration.Add(1, [0, 0], 2, new SequenceLayout([0, 1]));

        Assert.Equal(RouterEntropy.Of(8, 0), calibration.ThresholdOf(0, 0.5));
        Assert.Equal(RouterEntropy.Of(9, 0), calibration.ThresholdOf(0, 1));
        Assert.Equal(RouterEntropy.Of(0, 0), calibration.ThresholdOf(1, 1));
    }

    [Fact]
    public void NoShareIsFartherOffThanAnyOtherThresholdWouldBe() => RandomBatch.ForAll(batch =>
    {
        if (!batch.RealTokens.Any())
            return;
        var calibration = new EntropyCalibration();
        calibration.Add(0, batch.LogitsTE, batch.Experts, batch.Layout);
        double[] entropies = [.. batch.RealTokens.Select(t => RouterEntropy.Of(batch.Logits(t)))];
        double Distance(double threshold) => Math.Abs(entropies.Count(h => h >= threshold) - batch.Alpha * entropies.Length);

        var threshold = calibration.ThresholdOf(0, batch.Alpha);

        Assert.True(double.IsFinite(threshold));
        Assert.Equal(entropies.Append(100).Min(Distance), Distance(threshold), 1e-9);
    });

    [Fact]
    public void WhatCannotBeCalibratedIsAnError()
    {
        var calibration = new EntropyCalibration();
        calibration.Add(0, [], 2, new SequenceLayout([0]));

        Assert.Contains("Block 0", Assert.Throws<InvalidOperationException>(() => calibration.ThresholdOf(0, 0.5)).Message, StringComparison.Ordinal);
        Assert.Contains("Block 2", Assert.Throws<InvalidOperationException>(() => calibration.ThresholdOf(2, 0.5)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => calibration.ThresholdOf(0, 1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => calibration.ThresholdOf(0, double.NaN));
    }

    /// <summary>How many of the tokens, each with two experts whose logits differ by so much, a calibrated workspace broadcasts.</summary>
    private static int Uncertain(float[] differences, double share)
    {
        float[] logits = [.. differences.SelectMany(d => new[] { d, 0 })];
        var layout = new SequenceLayout([0, differences.Length]);
        var calibration = new EntropyCalibration();
        calibration.Add(0, logits, 2, layout);
        var policy = new GlobalWorkspaceSettings(share, EntropyUnit.ShareOfTokens)
            .Apply(new TokenChoice(1, normalizeWeights: false), 0, 2, calibration.ThresholdOf(0, share));

        var plan = policy.Route(logits, 2, layout, training: true);

        return Enumerable.Range(0, plan.Tokens).Count(plan.IsBroadcast);
    }
}
