using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Generation;

/// <summary>Answers told with own and with random experts.</summary>
public sealed class RandomExpertsAnalysisTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);

    public static TheoryData<string> Mixtures { get; } = [TinyGenerators.Switch, TinyCausal.Olmoe];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Mixtures))]
    public void AnswersAreScoredByTheirTokensAlone(string config)
    {
        var (model, rows) = Create(config);
        var score = AnswerScoring.Measure(model, rows);
        var expected = model.Measure([.. rows.Select(row => new Example<EncodedText>(row.Row, 0f))]);
        Assert.Equal(expected.Loss, score.Loss, 1e-5);
        Assert.Equal(rows.Sum(row => row.Row.Ids!.Targets?.Length ?? row.Row.Length - row.Row.Ids.FirstTarget), score.Tokens);
        Assert.Equal(3 * rows.Length, score.Characters);
        Assert.Equal(model.Router.ExpertsPerToken, score.ExpertsPerToken, 1e-9);
    }

    [Fact]
    public void AnAnswersScoreIsThatOfTheTextReadAsAWhole()
    {
        var (model, rows) = Create(TinyCausal.Olmoe);
        var all = rows.Sum(row => TextScoring.LogProbabilities(model, row.Row.Ids!.Ids)[(row.Row.Ids.FirstTarget - 1)..].Sum());
        Assert.Equal(all, AnswerScoring.Measure(model, rows).LogProbability, 1e-3);
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    public void WithoutUncertainTokensNothingChangesAndWithAllOfThemItIsTheSameWhicheverAreDrawn(string config)
    {
        var (model, rows) = Create(config);
        var scores = Analyse(model, rows, [0, 1]);
        Assert.Equal(1, scores[0].UncertainShare);
        Assert.Equal(scores[0].Uncertain, scores[0].Arbitrary);
        Assert.NotEqual(scores[0].Own.LogProbability, scores[0].Uncertain.LogProbability);
        Assert.Equal(scores[0].Own.ExpertsPerToken, scores[0].Uncertain.ExpertsPerToken, 1e-9);
        Assert.Equal(0, scores[1].UncertainShare);
        Assert.Equal(scores[1].Own, scores[1].Uncertain);
        Assert.Equal(scores[1].Own, scores[1].Arbitrary);
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    public void SharesAreThoseOfTheReport(string config)
    {
        var (model, rows) = Create(config);
        var report = model.ReportRouting(rows.Select(row => row.Row), new RoutingReportOptions { EntropyBins = 50 });
        double[] thresholds = [0.9, 0.96, 0.98];
        foreach (var score in Analyse(model, rows, thresholds))
        {
            var nats = score.Threshold * Math.Log(model.Experts);
            var direct = report.Layers.Sum(layer =>
                layer.Tokens * layer.UncertainShares.Single(share => Math.Abs(share.Threshold - nats) < 1e-9).Share);
            Assert.Equal(direct / report.Layers.Sum(layer => layer.Tokens), score.UncertainShare, 1e-9);
        }
    }

    [Fact]
    public void TheSameSeedGivesTheSameScoresAndAnotherOthers()
    {
        var (model, rows) = Create(TinyCausal.Olmoe);
        Assert.Equal(Analyse(model, rows, [0.5]), Analyse(model, rows, [0.5]));
        Assert.NotEqual(Analyse(model, rows, [0.5])[0].Uncertain, Analyse(model, rows, [0.5], seed: 9)[0].Uncertain);
    }

    [Fact]
    public void WhatCannotBeAnalysedIsRefused()
    {
        var (model, rows) = Create(TinyCausal.Olmoe);
        Assert.Throws<ArgumentException>(() => Analyse(model, rows, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Analyse(model, rows, [1.2]));
        var (dense, denseRows) = Create(TinyCausal.Llama);
        Assert.Throws<InvalidOperationException>(() => Analyse(dense, denseRows, [0.5]));
        var most = ((PublishedConfig)model.Config.Encoder).MaximumTokens;
        var error = Assert.Throws<InvalidOperationException>(
            () => AnswerScoring.Measure(model, [rows[0], (new EncodedText(new TokenIds(new int[most + 1]), 0, isEmpty: false), 1)]));
        Assert.Contains("Row 2", error.Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<RandomExpertsScore> Analyse(
        Model<EncodedText> model, (EncodedText Row, int Characters)[] rows, double[] thresholds, int seed = 0) =>
        RandomExpertsAnalysis.Run(model, thresholds, seed, (changed, observer) => AnswerScoring.Measure(changed, rows, observer));

    private (Model<EncodedText> Model, (EncodedText Row, int Characters)[] Rows) Create(string config)
    {
        var model = TinyGenerators.Create(_engine, config);
        return (model, [.. TinyGenerators.Rows(model, 12).Select(row => (row.Input, 3))]);
    }
}
