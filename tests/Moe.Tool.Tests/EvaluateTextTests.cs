namespace MoeTool.Tests;

/// <summary><c>evaluate-text</c>.</summary>
public sealed class EvaluateTextTests : FolderTests
{
    private const string Scored = "LogProbability\tTokenCount\tText\n-0.6931472\t1\tab\n-2.0794415\t3\tcdef\n";

    [Fact]
    public void OneOfSeveralAnswersIsEnough()
    {
        var data = Write("answers.tsv", "Answer\tFirst\tSecond\nThe mill\tmill\t\n\triver\t\na lake\triver\tthe lake\n");

        Assert.Equal(
            "SQuAD: exact match 66.67, F1 66.67, 3 rows",
            Evaluate("squad", data, "--prediction", "Answer", "--reference", "First", "--reference", "Second"));
    }

    [Fact]
    public void SummariesMayHaveLines()
    {
        var data = Write("summaries.tsv", "Prediction\tLabel\n\"trains run\nrivers rise\"\t\"rivers rose\ntrains run\"\n");

        Assert.Equal(
            "ROUGE (F1): ROUGE-1 75.00, ROUGE-2 33.33, ROUGE-L 50.00, ROUGE-Lsum 75.00, 1 rows", Evaluate("rouge", data));
        Assert.StartsWith("ROUGE (F1): ROUGE-1 75.00", Evaluate("rouge", data, "--stem"), StringComparison.Ordinal);
    }

    [Fact]
    public void TasksOfGlueHaveTheirNames()
    {
        var data = Write("labels.csv", "Prediction,Label\n1,1\n0,0\nyes,1\n");

        Assert.StartsWith("GLUE mrpc: accuracy 66.67, F1 66.67, 3 rows, 1 of them", Evaluate("mrpc", data), StringComparison.Ordinal);
        Assert.StartsWith("GLUE stsb: Pearson", Evaluate("stsb", data), StringComparison.Ordinal);
    }

    [Fact]
    public void WordProblemsAreScored() => Assert.Equal(
        "GSM8K: exact match 50.00, strict match 50.00, flexible extract 100.00, 2 rows",
        Evaluate("gsm8k", Write("problems.tsv", "Prediction\tLabel\nso #### 5\t#### 5\nit is 7\t7\n")));

    [Fact]
    public void ResultsOfProgramsAreScored()
    {
        var data = Write("results.tsv", "TaskId\tPassed\na\ttrue\na\tfalse\nb\t0\nb\t0\n");

        Assert.Equal("pass@1 25.00, pass@2 50.00; 1 of 4 samples of 2 tasks passed", Evaluate("pass-at-k", data, "--samples", "1", "--samples", "2"));
        Assert.StartsWith("pass@1 25.00;", Evaluate("pass-at-k", data), StringComparison.Ordinal);
    }

    [Fact]
    public void PerplexityIsOfLogProbabilities()
    {
        var data = Write("scored.tsv", Scored);

        Assert.Equal("Perplexity 2.0000, 0.6667 bits per character, 4 tokens, 2 rows", Evaluate("perplexity", data, "--text", "Text"));
        Assert.Equal("Perplexity 2.0000, 4 tokens, 2 rows", Evaluate("perplexity", data));
    }

    [Fact]
    public void WhatDoesNotFitIsNamed()
    {
        var data = Write("labels.tsv", "Prediction\tLabel\tOther\n1\tmaybe\tx\n");

        Assert.Contains("--reference", Fail(1, "squad", data, "--reference", "Missing"), StringComparison.Ordinal);
        Assert.Contains("'maybe'", Fail(1, "rte", data), StringComparison.Ordinal);
        Assert.Contains("takes one --reference", Fail(1, "gsm8k", data, "--reference", "Label", "--reference", "Other"), StringComparison.Ordinal);
        Assert.Contains("pass-at-k", Fail(2, "bleu", data), StringComparison.Ordinal);
    }

    private static string Evaluate(string task, string data, params string[] more) =>
        Tool.Run(["evaluate-text", "--task", task, "--data", data, .. more]).TrimEnd();

    private static string Fail(int code, string task, string data, params string[] more) =>
        Tool.Fail(code, ["evaluate-text", "--task", task, "--data", data, .. more]);
}
