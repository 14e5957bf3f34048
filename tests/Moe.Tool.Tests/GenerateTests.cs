using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using MoeTool.Commands;

namespace MoeTool.Tests;

/// <summary><c>generate</c>, with a mixture of random weights.</summary>
public sealed class GenerateTests : FolderTests
{
    private readonly string _model;

    public GenerateTests() => _model = TinyCausal.Write(Path.Combine(Folder, "model"));

    [Fact]
    public void AnswersOfATableAreThoseOfItsTextsAlone()
    {
        var prompts = Write("prompts.tsv", "Id\tSentence\n1\train falls\n2\tsun\n");
        var lines = Generate("--in", prompts, "--text", "Sentence").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("Text\tAnswer\tLogProbability\tTokens", lines[0]);
        var rows = lines[1..].Select(line => line.Split('\t')).ToList();
        Assert.Equal(["rain falls", "sun"], rows.Select(row => row[0]));
        Assert.All(rows, row => Assert.Equal(row[1].Trim(), Generate("--prompt", row[0]).Trim()));
        var file = Path.Combine(Folder, "out", "answers.tsv");
        Generate("--in", prompts, "--text", "Sentence", "--out", file);
        Assert.Equal(lines, File.ReadAllLines(file));
    }

    [Fact]
    public void PerplexityIsToldWithAnotherRouterToo()
    {
        var texts = Write("texts.tsv", "Text\nrain falls\nsun\n");
        var own = Generate("--in", texts, "--perplexity");
        Assert.Contains("Tokens: 11\n", own, StringComparison.Ordinal);
        Assert.Contains("Experts per token: 2.00\n", own, StringComparison.Ordinal);
        var other = Generate("--in", texts, "--perplexity", "--router", "token-choice", "--experts-per-token", "1");
        Assert.Contains("Experts per token: 1.00\n", other, StringComparison.Ordinal);
        Assert.NotEqual(own.Split('\n')[^2], other.Split('\n')[^2]);
        Assert.Contains("Experts per token: 1.", Generate("--in", texts, "--perplexity", "--router", "unified", "--experts-per-token", "1.5"), StringComparison.Ordinal);
    }

    [Fact]
    public void ATableIsReadOnceForAllColumns()
    {
        var passes = 0;
        var lines = GenerateCommand.LinesOf(new MLContext().Data.LoadFromEnumerable(Rows())).ToList();
        Assert.Equal(["Text\tAnswer\tLogProbability\tTokens", "rain\tfalls\t-1.5\t3", "sun\tsets\t-2\t4"], lines);
        Assert.Equal(1, passes);

        IEnumerable<Answered> Rows()
        {
            passes++;
            yield return new Answered { Text = "rain", Answer = "falls", LogProbability = -1.5f, Tokens = 3 };
            yield return new Answered { Text = "sun", Answer = "sets", LogProbability = -2f, Tokens = 4 };
        }
    }

    [Fact]
    public void UnifiedKeepsTheNormalisationOfTheModelsOwnRouter()
    {
        var texts = Write("texts.tsv", "Text\nrain falls\nsun\n");
        string[] unified = ["--in", texts, "--perplexity", "--router", "unified", "--experts-per-token", "1.5", "--alpha", "0.3"];
        using var model = Load();
        Assert.Equal(WeightNormalization.Selected, model.Router.Normalization);
        var router = Router.Unified(1.5, 0.3, RoutingScope.Prefix, WeightNormalization.Selected);
        Assert.Equal(PerplexityOf(model, router), Generate(unified).Split('\n')[^2]);
        Assert.NotEqual(PerplexityOf(model, router with { Normalization = WeightNormalization.None }), Generate(unified).Split('\n')[^2]);

        MoeTextGenerationTransformer Load()
        {
            var rows = new MLContext().Data.LoadFromEnumerable([new Answered { Text = "rain falls" }, new Answered { Text = "sun" }]);
            return new MLContext().Transforms.Text.GenerateText(
                "Answer", "Text", PublishedModel.FromFolder(_model), new GenerateTextOptions { Device = MoeDevice.Cpu }).Fit(rows);
        }

        static string PerplexityOf(MoeTextGenerationTransformer model, Router router)
        {
            using var other = model.WithRouting(router);
            var rows = new MLContext().Data.LoadFromEnumerable([new Answered { Text = "rain falls" }, new Answered { Text = "sun" }]);
            return FormattableString.Invariant($"Perplexity: {other.Evaluate(rows).Perplexity:0.0000}");
        }
    }

    [Fact]
    public void OptionsOfTextsAreApplied()
    {
        var plain = Generate("--prompt", "rain falls");
        Assert.NotEqual(plain, Generate("--prompt", "rain falls", "--repetition-penalty", "1000"));
        var prompts = Write("prompts.tsv", "Text\nrain falls\n");
        Assert.EndsWith("\t6\n", Generate("--in", prompts, "--minimum-tokens", "6"), StringComparison.Ordinal);
        var sampled = Generate("--prompt", "rain falls", "--sample", "--top-k", "1", "--min-p", "0.1", "--seed", "3");
        Assert.Equal(plain, sampled);
        var unrepeated = Generate("--prompt", "rain falls", "--no-repeat-ngram", "1").TrimEnd('\n');
        Assert.Equal(unrepeated.Length, unrepeated.Distinct().Count());
        Assert.Empty(unrepeated.Intersect("rain falls"));
    }

    [Theory]
    [InlineData(1, "--temperature", "--temperature", "0.5")]
    [InlineData(1, "--top-p", "--top-p", "0.5")]
    [InlineData(1, "--top-k", "--top-k", "5")]
    [InlineData(1, "--min-p", "--min-p", "0.5")]
    [InlineData(1, "--seed", "--seed", "3")]
    [InlineData(1, "--alpha", "--router", "token-choice", "--alpha", "0.3")]
    [InlineData(2, "--out", "--out", "answers.tsv")]
    [InlineData(2, "--prompt", "--in", "texts.tsv")]
    public void AnOptionWithoutEffectIsNamed(int exitCode, string named, params string[] args) =>
        Assert.Contains(named, Tool.Fail(exitCode, ["generate", "--model", _model, "--prompt", "a", .. args]), StringComparison.Ordinal);

    [Fact]
    public void WhatIsMissingIsNamed()
    {
        Assert.Contains("--in", Tool.Fail(1, "generate", "--model", _model, "--perplexity"), StringComparison.Ordinal);
        Assert.Contains("nowhere", Tool.Fail(1, "generate", "--model", "nowhere", "--prompt", "a"), StringComparison.Ordinal);
        Assert.Contains("--router", Tool.Fail(2, "generate", "--model", _model, "--router", "nonsense"), StringComparison.Ordinal);
    }

    private sealed class Answered
    {
        public string Text { get; set; } = "";

        public string Answer { get; set; } = "";

        public float LogProbability { get; set; }

        public int Tokens { get; set; }
    }

    private string Generate(params string[] more) =>
        Tool.Run(["generate", "--model", _model, "--max-new-tokens", "6", "--device", "cpu", .. more]);
}
