using Microsoft.ML.Data;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.TextGeneration;

/// <summary>What routers do to prompts and the answers that a table has.</summary>
public sealed class AnswerRoutingTests : IDisposable
{
    private static readonly (string Text, string Answer)[] Pairs =
        [("rain falls", "it is wet"), ("a", "b"), ("the long river", "bends twice"), ("sun", "noon")];

    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AnswersAreToldAfterTheirPromptsWithTheirEnd()
    {
        using var transformer = Fit();
        var score = transformer.Evaluate(Table(Pairs), "Expected");
        using var held = (ModelLease<Model<EncodedText>>)transformer.Hold();
        var expected = Pairs.Sum(pair =>
        {
            int[] prompt = transformer.Generator.Encode(pair.Text).Ids!.Ids;
            int[] answer = [.. transformer.Generator.Encode(pair.Answer).Ids!.Ids, 1];
            return TextScoring.LogProbabilities(held.Model, [.. prompt, .. answer])[(prompt.Length - 1)..].Sum();
        });
        Assert.Equal(expected, score.LogProbability, 1e-3);
        Assert.Equal(Pairs.Sum(pair => pair.Answer.Length + 1), score.Tokens);
        Assert.Equal(Pairs.Sum(pair => pair.Answer.Length), score.Characters);
    }

    [Fact]
    public void ReportsCountPromptsAndAnswers()
    {
        using var transformer = Fit();
        var report = transformer.ReportRouting(Table(Pairs), "Expected", new RoutingReportOptions { UncertainThreshold = 0 });
        Assert.Equal(Pairs.Sum(pair => pair.Text.Length + pair.Answer.Length + 1), report.Tokens);
        Assert.Contains(report.Stacks[0].MostUncertainTokens, token => token.Text == "a");
        Assert.Contains("All layers: 100", report.ToText(), StringComparison.Ordinal);
        Assert.Contains("All layers: 100", report.ToHtml(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Expected")]
    public void RoutersAreComparedByPerplexity(string? answers)
    {
        using var transformer = Fit();
        var table = Table(Pairs);
        Router[] routers = [transformer.Router, Router.TokenChoice(1), Router.Unified(1.5, 0.3, RoutingScope.Prefix)];
        var scores = transformer.CompareRouting(table, routers, answers);
        Assert.Equal(routers, scores.Select(score => score.Router));
        Assert.Equal(answers is null ? transformer.Evaluate(table) : transformer.Evaluate(table, answers), scores[0].Score);
        Assert.Equal(1, scores[1].Score.ExpertsPerToken);
        Assert.Equal(3, scores.Select(score => score.Score.LogProbability).Distinct().Count());
        var text = scores.ToText();
        Assert.Contains("perplexity", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
        Assert.Throws<ArgumentException>(() => transformer.CompareRouting(table, [], answers));
        Assert.ThrowsAny<ArgumentException>(() => transformer.CompareRouting(table, [Router.TokenChoice(1000)], answers));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Expected")]
    public void RandomExpertsOfUncertainTokensAreComparedWithThoseOfArbitraryOnes(string? answers)
    {
        using var transformer = Fit();
        var scores = transformer.CompareRandomExperts(Table(Pairs), [0.9, 0.97, 1], answers, seed: 4);
        Assert.Equal([0.9, 0.97, 1], scores.Select(score => score.Threshold));
        Assert.Equal(scores.Select(score => score.UncertainShare).OrderDescending(), scores.Select(score => score.UncertainShare));
        Assert.All(scores, score => Assert.Equal(scores[0].Own, score.Own));
        Assert.InRange(scores[0].UncertainShare, 0.1, 1);
        Assert.NotEqual(scores[0].Own, scores[0].Uncertain);
        Assert.Equal(scores[2].Own, scores[2].Arbitrary);
        Assert.Contains("uncertain", scores.ToText(), StringComparison.Ordinal);
        Assert.All(scores.ToText().Split('\n'), line => Assert.InRange(line.Length, 0, 80));
    }

    [Fact]
    public void WhatIsMissingIsNamed()
    {
        using var transformer = Fit();
        var table = Table(Pairs);
        Assert.Contains("'Nowhere'", Assert.Throws<ArgumentOutOfRangeException>(() => transformer.Evaluate(table, "Nowhere")).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => transformer.ReportRouting(table, "Nowhere"));
        Assert.Throws<ArgumentOutOfRangeException>(() => transformer.CompareRandomExperts(table, [2]));
        Assert.Contains("'Expected'", Assert.Throws<InvalidOperationException>(() => transformer.Evaluate(Table([]), "Expected")).Message);
        var tooLong = Assert.Throws<InvalidOperationException>(() => transformer.Evaluate(Table([("a", new string('b', 80))]), "Expected"));
        Assert.Contains("82 tokens", tooLong.Message, StringComparison.Ordinal);
    }

    private MoeTextGenerationTransformer Fit()
    {
        var folder = Path.Combine(_folder.Path, "model");
        if (!Directory.Exists(folder))
            TinyCausal.Write(folder, generation: """{ "eos_token_id": 1 }""");
        var options = new GenerateTextOptions { Generation = new GenerationOptions { MaximumNewTokens = 6, EndTokens = [1] } };
        return _ml.Transforms.Text.GenerateText("Answer", "Text", PublishedModel.FromFolder(folder), options).Fit(Table([]));
    }

    private IDataView Table(IEnumerable<(string Text, string Answer)> pairs) =>
        _ml.Data.LoadFromEnumerable(pairs.Select(pair => new Pair { Text = pair.Text, Expected = pair.Answer }));

    private sealed class Pair
    {
        public string Text { get; set; } = "";

        public string Expected { get; set; } = "";
    }
}
