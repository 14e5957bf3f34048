using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace MoeTool.Tests;

/// <summary><c>train-text-to-text</c> and <c>train-language-model</c>, with small models of random weights.</summary>
public sealed class TrainGeneratorTests : FolderTests
{
    private const string Ends = """{ "eos_token_id": 1, "max_new_tokens": 8 }""";

    private readonly string _switch;
    private readonly string _olmoe;

    public TrainGeneratorTests()
    {
        _switch = TinyCausal.Write(Path.Combine(Folder, "switch"), TinyCausal.Switch, generation: Ends);
        _olmoe = TinyCausal.Write(Path.Combine(Folder, "olmoe"), generation: Ends);
    }

    [Fact]
    public void AnEncoderDecoderIsTrainedTestedAndSaved()
    {
        var (train, test, model) = (Write("train.tsv", Rows(80)), Write("test.tsv", Rows(20, seed: 2)), Path.Combine(Folder, "out", "m.zip"));
        var output = Train(
            "train-text-to-text", _switch, "--train", train, "--test", test, "--validation", test, "--prompt", "q {Source}", "--epochs", "24", "--out", model,
            "--workspace", "glue", "--freeze-router", "--metric", "exact-match", "--max-target-tokens", "6", "--router", "token-choice", "--experts-per-token", "2");
        Assert.True(File.Exists(model));
        Assert.Matches(@"(?m)^Epoch 24/24: training loss \d", output);
        Assert.True(Tool.Number(output, "Test exact match", " %") > 50, output);
        Assert.InRange(Tool.Number(output, "Test F1", " %"), Tool.Number(output, "Test exact match", " %"), 100);
        Assert.InRange(Tool.Number(output, "Test ROUGE-L", " %"), 0, 100);
        Assert.Equal(3, output.Split("  → ").Length - 1);
        Assert.Matches(@"^Fit seconds: \d+\r?$", output.TrimEnd().Split('\n')[^1]);
    }

    [Fact]
    public void ClassesAreTrainedAndTestedAsByOtherClassifiers()
    {
        var (train, test, model) = (Write("train.tsv", Rows(120)), Write("test.tsv", Rows(30, seed: 2)), Path.Combine(Folder, "c.zip"));
        var output = Train(
            "train-text-to-text", _switch, "--train", train, "--test", test, "--classes", "--epochs", "25", "--out", model);
        Assert.True(Tool.Number(output, "Test accuracy", " %") > 50, output);
        var evaluated = Tool.Run("evaluate", "--model", model, "--data", test);
        Assert.Equal(Tool.Number(output, "Test accuracy", " %"), Tool.Number(evaluated, "Test accuracy", " %"));
        Assert.Equal(Tool.Number(output, "Test log-loss"), Tool.Number(evaluated, "Test log-loss"));
        Assert.StartsWith("PredictedLabel\tProbability\tSource", Tool.Run("predict", "--model", model, "--data", test), StringComparison.Ordinal);
        Assert.Contains("block 1", Tool.Run("report", "--model", model, "--data", test), StringComparison.Ordinal);
        Assert.Contains("--compare", Tool.Fail(1, "report", "--model", model, "--data", test, "--compare"), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsWrittenAndIsNoClassIsWrong()
    {
        var (train, test, model) = (Write("train.tsv", Rows(60)), Write("test.tsv", Rows(20, seed: 2)), Path.Combine(Folder, "w.zip"));
        var output = Train(
            "train-text-to-text", _switch, "--train", train, "--test", test, "--classes", "--epochs", "4", "--out", model,
            "--options", Write("o.json", """{ "reading": "Written" }"""));
        var unread = Regex.Match(output, @"(?m)^To (\d+) rows a text was written that is no class's").Groups[1].Value;
        Assert.InRange(int.Parse(unread, CultureInfo.InvariantCulture), 1, 20);
        var accuracy = Tool.Number(output, "Test accuracy", " %");
        Assert.InRange(accuracy, 0, 100 - 5 * int.Parse(unread, CultureInfo.InvariantCulture));
        // a multiple of the share of one of 20 rows
        Assert.Equal(Math.Round(accuracy / 5) * 5, accuracy);
        Assert.Equal(accuracy, Tool.Number(Tool.Run("evaluate", "--model", model, "--data", test), "Test accuracy", " %"));
    }

    [Fact]
    public void ATaskOfGlueHasItsPromptAndScores()
    {
        var rows = "sentence\tlabel\n" + string.Concat(Enumerable.Range(0, 30).Select(i => $"{(i % 2 == 0 ? "ab" : "cd")}\t{i % 2}\n"));
        var output = Train("train-text-to-text", _switch, "--train", Write("cola.tsv", rows), "--glue", "cola", "--target", "label", "--epochs", "1");
        Assert.Contains("GLUE cola: Matthews", output, StringComparison.Ordinal);
        Assert.Contains("The model was not kept", output, StringComparison.Ordinal);
    }

    [Fact]
    public void SummariesAndQuestionsHaveTheirPromptsAndSettings()
    {
        var rows = "Article\tSummary\n" + string.Concat(Enumerable.Range(0, 20).Select(i => $"{(i % 2 == 0 ? "abab" : "cdcd")}\t{(i % 2 == 0 ? "ab" : "cd")}\n"));
        string[] summaries = ["train-text-to-text", _switch, "--train", Write("s.tsv", rows), "--summarisation", "--source", "Article", "--target", "Summary"];
        string[] once = ["--epochs", "1", "--workspace", "off"];
        var output = Train([.. summaries, .. once, "--validation", Write("v.tsv", rows), "--max-source-tokens", "20"]);
        Assert.Matches(@"(?m)^Epoch 1/1: .*, score \d", output);
        Assert.DoesNotContain(", score", Train([.. summaries, .. once]), StringComparison.Ordinal);
        output = Train([
            "train-text-to-text", _switch, "--train", Write("q.tsv", "Q\tC\tTarget\nab\tabcdabcd\tcd\nba\tcdab\tab\nab\tcdcdab\tab\ncd\tabdc\tdc\nab\tabcd\tcd\n"),
            "--questions", "--question-column", "Q", "--context-column", "C", .. once]);
        Assert.Contains("Test exact match", output, StringComparison.Ordinal);
    }

    [Fact]
    public void ACausalModelLearnsCompletionsOrTexts()
    {
        var train = Write("train.tsv", Rows(80));
        var output = Train(
            "train-language-model", _olmoe, "--train", train, "--prompt", "{Source} ", "--completion", "Target", "--epochs", "12", "--router", "unified",
            "--experts-per-token", "1.5");
        Assert.True(Tool.Number(output, "Test exact match", " %") > 40, output);
        string[] texts = ["train-language-model", _olmoe, "--train", train, "--text", "Source", "--epochs"];
        var (first, last) = (Train([.. texts, "1", "--learning-rate", "0.000001"]), Train([.. texts, "6"]));
        Assert.True(Tool.Number(last, "Test perplexity") < 0.8 * Tool.Number(first, "Test perplexity"), last);
        Assert.True(Tool.Number(last, "Test bits per character") > 0);
    }

    [Fact]
    public void AdaptersAloneAreTrainedAndKept()
    {
        var (train, model) = (Write("train.tsv", Rows(40)), Path.Combine(Folder, "a.zip"));
        string[] training = ["train-language-model", _olmoe, "--train", train, "--completion", "Target", "--prompt-column", "Source", "--epochs", "2", "--lora", "4"];
        var merged = Train([.. training, "--out", model]);
        var size = new FileInfo(model).Length;
        var kept = Train([.. training, "--keep-adapters", "--out", model]);
        Assert.True(new FileInfo(model).Length < size);
        Assert.Equal(Tool.Number(merged, "Test F1", " %"), Tool.Number(kept, "Test F1", " %"));
        Assert.Contains("--lora", Tool.Fail(2, "train-language-model", "--model", _olmoe, "--train", train, "--keep-adapters"), StringComparison.Ordinal);
    }

    [Fact]
    public void SavedAdaptersGoWithTheModel()
    {
        var (train, model, adapters) = (Write("train.tsv", Rows(40)), Path.Combine(Folder, "a.zip"), Path.Combine(Folder, "adapters"));
        string[] training =
            ["train-language-model", _olmoe, "--train", train, "--completion", "Target", "--prompt-column", "Source", "--keep-adapters", "--out", model];
        var first = Train([.. training, "--epochs", "6", "--lora", "4"]);
        var ml = new MLContext();
        using (var trained = (MoeTextGenerationTransformer)ml.Model.Load(model, out _))
            trained.SaveAdapters(adapters);
        var (plain, adapted) = (Perplexity(), Perplexity("--adapters", adapters));
        Assert.True(Tool.Number(adapted, "Perplexity") < 0.9 * Tool.Number(plain, "Perplexity"), plain + adapted);

        // learning no more
        var further = Train([.. training, "--epochs", "1", "--learning-rate", "0.000000001", "--adapters", adapters]);
        Assert.Equal(Tool.Number(first, "Test F1", " %"), Tool.Number(further, "Test F1", " %"));
        Assert.Contains("--lora", Tool.Fail(
            2, "train-language-model", "--model", _olmoe, "--train", train, "--lora", "2", "--adapters", adapters), StringComparison.Ordinal);
        Assert.Contains("nowhere", Tool.Fail(1, "generate", "--model", _olmoe, "--prompt", "ab", "--adapters", "nowhere"), StringComparison.Ordinal);

        string Perplexity(params string[] more) => Tool.Run(
            ["generate", "--model", _olmoe, "--in", train, "--text", "Target", "--perplexity", "--device", "cpu", .. more]);
    }

    [Fact]
    public void TheSeedDecidesTheOutcome()
    {
        string[] training = ["train-language-model", _olmoe, "--train", Write("train.tsv", Rows(40)), "--text", "Source", "--epochs", "1"];
        var first = Tool.Number(Train(training), "Test perplexity");
        Assert.Equal(first, Tool.Number(Train(training), "Test perplexity"));
        Assert.NotEqual(first, Tool.Number(Train([.. training, "--seed", "2"]), "Test perplexity"));
    }

    [Theory]
    [InlineData("no column 'Nowhere'; choose one with --source", "--source", "Nowhere")]
    [InlineData("no column 'Nowhere'; choose one with --target", "--target", "Nowhere")]
    [InlineData("no column 'Nowhere'; choose one with --prompt", "--prompt", "q {Nowhere}")]
    [InlineData("no column 'Question'; choose one with --question-column", "--questions")]
    [InlineData("no column 'Nowhere'; choose one with --context-column", "--questions", "--question-column", "Source", "--context-column", "Nowhere")]
    [InlineData("no column 'Nowhere'; choose one with --source", "--summarisation", "--source", "Nowhere")]
    [InlineData("no column 'Nowhere'; choose one with --prompt", "--questions", "--prompt", "q {Nowhere}")]
    [InlineData("has a brace at 2", "--prompt", "q {Nowhere")]
    [InlineData("cannot be read and written", "--source", "Target")]
    [InlineData("Metric = RougeL needs validation rows", "--metric", "rouge-l")]
    [InlineData("There is no file", "--validation", "missing.tsv")]
    [InlineData("is a folder; --out", "--out", ".")]
    [InlineData("There is no folder", "--model", "nowhere")]
    public void BadInputIsOneLineAndExitCode1(string explanation, params string[] args)
    {
        string[] training = ["train-text-to-text", "--train", Write("train.tsv", Rows(10)), .. args.Contains("--model") ? args : ["--model", _switch, .. args]];
        Assert.Contains(explanation, Tool.Fail(1, training), StringComparison.Ordinal);
    }

    [Fact]
    public void AModelOfTheOtherKindIsToldWhereItBelongs()
    {
        var train = Write("train.tsv", Rows(10));
        Assert.Contains("MoeLanguageModel", Tool.Fail(1, "train-text-to-text", "--model", _olmoe, "--train", train), StringComparison.Ordinal);
        Assert.Contains("--classes", Tool.Fail(2, "train-text-to-text", "--model", _switch, "--train", train, "--classes", "--beams", "2"), StringComparison.Ordinal);
        Assert.Contains("--text", Tool.Fail(2, "train-language-model", "--model", _olmoe, "--train", train, "--text", "Source", "--chat"), StringComparison.Ordinal);
        Assert.Contains("--workspace", Tool.Fail(2, "train-text-to-text", "--model", _switch, "--train", train, "--workspace", "paper"), StringComparison.Ordinal);
    }

    private static string Train(string command, string model, params string[] args) => Train([command, model, .. args]);

    private static string Train(string[] args) => Tool.Run(
        [args[0], "--model", args[1], "--threads", "1", "--device", "cpu", "--batch-size", "8", "--learning-rate", "0.01", .. args[2..]]);

    private static string Rows(int count, int seed = 1)
    {
        var random = new Random(seed);
        var rows = new StringBuilder("Source\tTarget\n");
        for (var i = 0; i < count; i++)
        {
            var source = string.Concat(Enumerable.Range(0, random.Next(2, 6)).Select(_ => (char)('a' + random.Next(3))));
            rows.Append(CultureInfo.InvariantCulture, $"{source}\t{new string(source[^1], 3)}\n");
        }

        return rows.ToString();
    }
}
