using Microsoft.ML.Moe.Tests.PublishedEncoders;

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
    public void WhatIsMissingIsNamed()
    {
        Assert.Contains("--in", Tool.Fail(1, "generate", "--model", _model, "--perplexity"), StringComparison.Ordinal);
        Assert.Contains("nowhere", Tool.Fail(1, "generate", "--model", "nowhere", "--prompt", "a"), StringComparison.Ordinal);
        Assert.Contains("--router", Tool.Fail(2, "generate", "--model", _model, "--router", "nonsense"), StringComparison.Ordinal);
    }

    private string Generate(params string[] more) =>
        Tool.Run(["generate", "--model", _model, "--max-new-tokens", "6", "--device", "cpu", .. more]);
}
