using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace MoeTool.Tests;

/// <summary>Texts from the table to the report, on small tables.</summary>
public class TrainTextTests : FolderTests
{
    [Fact]
    public void A_model_is_trained_tested_saved_evaluated_used_and_explained()
    {
        var (train, test) = (Write("train.tsv", Rows(120)), Write("test.tsv", Rows(40)));
        var (model, report) = (Path.Combine(Folder, "models", "colours.zip"), Path.Combine(Folder, "reports", "routing.html"));
        var output = Tool.Run(
            "train-text", "--train", train, "--test", test, "--label", "kind", "--text", "sentence", "--model", model, "--epochs", "2", "--threads", "1",
            "--global-workspace", "0.9", "--report", report, "--compare-routing");
        var last = output.TrimEnd().Split('\n')[^3..];
        Assert.Matches(@"^Test accuracy: \d+\.\d %\r?$", last[0]);
        Assert.Matches(@"^Test log-loss: \d+\.\d\d\d\r?$", last[1]);
        Assert.Matches(@"^Fit seconds: \d+\r?$", last[2]);
        Assert.Matches(@"(?m)^Epoch 2/2: training loss \d", output);
        Assert.Contains("Most often uncertain:", output, StringComparison.Ordinal);
        Assert.Contains("Unified, 1.5 experts per token", output, StringComparison.Ordinal);
        Assert.Equal(3, output.Split("  → ").Length - 1);
        Assert.StartsWith("<!doctype html>", File.ReadAllText(report), StringComparison.Ordinal);

        var evaluated = Tool.Run("evaluate", "--model", model, "--data", test);
        Assert.Equal(Tool.Number(output, "Test accuracy", " %"), Tool.Number(evaluated, "Test accuracy", " %"));
        Assert.Equal(Tool.Number(output, "Test log-loss"), Tool.Number(evaluated, "Test log-loss"));
        Assert.Contains("Mean accuracy of the classes:", evaluated, StringComparison.Ordinal);

        var predicted = Tool.Run("predict", "--model", model, "--data", Write("new.tsv", "sentence\na red fire with number 7\na blue lake with number 8\n"));
        Assert.Equal(["PredictedLabel\tProbability\tsentence", "warm", "cold"], FirstFields(predicted));
        var answer = Tool.RunWith("a blue lake\na red fire\n", "predict", "--model", model);
        Assert.Equal(["PredictedLabel\tProbability\tsentence", "cold", "warm"], FirstFields(answer.Output));
        var file = Path.Combine(Folder, "out.tsv");
        Tool.Run("predict", "--model", model, "--data", test, "--out", file);
        Assert.Equal(41, File.ReadAllLines(file).Length);

        var page = Path.Combine(Folder, "again.html");
        var explained = Tool.Run("report", "--model", model, "--data", Write("bare.tsv", "sentence\na red fire\n"), "--html", page);
        Assert.Contains("Most often uncertain:", explained, StringComparison.Ordinal);
        Assert.True(new FileInfo(page).Length > 1000);
        Assert.Contains("log-loss", Tool.Run("report", "--model", model, "--data", test, "--compare"), StringComparison.Ordinal);
    }

    [Fact]
    public void Pairs_of_texts_are_trained_and_predicted()
    {
        var rows = "kind\tfirst\tsecond\n" + string.Concat(Enumerable.Range(0, 80).Select(n =>
            $"{(n % 2 == 0 ? "warm" : "cold")}\tnumber {n}\t{(n % 2 == 0 ? "red fire" : "blue lake")}\n"));
        var (table, model) = (Write("pairs.tsv", rows), Path.Combine(Folder, "pairs.zip"));
        var output = Tool.Run(
            "train-text", "--train", table, "--label", "kind", "--text", "first", "--text2", "second", "--epochs", "3", "--threads", "1", "--model", model);
        Assert.Equal(100, Tool.Number(output, "Test accuracy", " %"));
        var answer = Tool.RunWith("number 7\tred fire\nnumber 8\tblue lake\n", "predict", "--model", model);
        Assert.Equal(["PredictedLabel\tProbability\tfirst\tsecond", "warm", "cold"], FirstFields(answer.Output));
    }

    [Fact]
    public void A_label_that_only_the_test_rows_have_counts_as_wrong()
    {
        var train = Write("train.tsv", Rows(80));
        var test = Write("test.tsv", Rows(30) + string.Concat(Enumerable.Repeat("a red fire\tunseen\n", 10)));
        var model = Path.Combine(Folder, "m.zip");
        var output = Tool.Run(
            "train-text", "--train", train, "--test", test, "--label", "kind", "--text", "sentence", "--epochs", "3", "--threads", "1", "--model", model);
        Assert.Equal(75, Tool.Number(output, "Test accuracy", " %"));
        Assert.Contains("10 rows have a label that no training row has, 'unseen'", output, StringComparison.Ordinal);
        Assert.Equal(75, Tool.Number(Tool.Run("evaluate", "--model", model, "--data", test), "Test accuracy", " %"));
    }

    [Fact]
    public void Columns_may_be_named_as_those_that_the_trainer_writes()
    {
        var table = Write("t.csv", Rows(60).Replace("sentence\tkind", "Score\tPredictedLabel", StringComparison.Ordinal).Replace('\t', ','));
        var model = Path.Combine(Folder, "m.zip");
        var output = Tool.Run(
            "train-text", "--train", table, "--label", "PredictedLabel", "--text", "Score", "--epochs", "2", "--threads", "1", "--model", model);
        Assert.InRange(Tool.Number(output, "Test accuracy", " %"), 0, 100);
        Tool.Run("evaluate", "--model", model, "--data", table, "--label", "PredictedLabel", "--text", "Score");
    }

    [Fact]
    public void Training_starts_from_a_pretrained_encoder_and_the_seed_decides_the_outcome()
    {
        var (corpus, encoder) = (Write("corpus.txt", string.Concat(Enumerable.Range(0, 200).Select(n => $"a red fire and a blue lake with number {n}\n"))), Path.Combine(Folder, "e.zip"));
        var pretrained = Tool.Run("pretrain", "--text-file", corpus, "--model", encoder, "--epochs", "1", "--threads", "1");
        Assert.Matches(@"^Fit seconds: \d+\r?$", pretrained.TrimEnd().Split('\n')[^1]);
        string[] training =
        [
            "train-text", "--train", Write("t.tsv", Rows(60)), "--label", "kind", "--text", "sentence", "--epochs", "1", "--threads", "1",
            "--initial-model", encoder, "--options", Write("o.json", """{ "linearBranch": false }"""),
        ];
        var first = Tool.Number(Tool.Run(training), "Test log-loss");
        Assert.Equal(first, Tool.Number(Tool.Run(training), "Test log-loss"));
        Assert.NotEqual(first, Tool.Number(Tool.Run([.. training, "--seed", "2"]), "Test log-loss"));
    }

    [Fact]
    public void Training_begins_with_a_published_encoder()
    {
        var encoder = Path.Combine(Folder, "encoder");
        TinyPublished.Write(encoder, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(encoder);
        var (train, model) = (Write("t.tsv", Rows(80)), Path.Combine(Folder, "m.zip"));
        string[] training =
        [
            "train-text", "--train", train, "--label", "kind", "--text", "sentence", "--threads", "1", "--device", "cpu", "--encoder", encoder,
            "--options", Write("o.json", """{ "fineTuning": { "layers": "none" } }"""),
        ];
        var output = Tool.Run([.. training, "--model", model]);
        Assert.Contains("The frozen encoder has read", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Epoch 1/", output, StringComparison.Ordinal);
        var last = output.TrimEnd().Split('\n')[^3..];
        Assert.Matches(@"^Test accuracy: \d+\.\d %\r?$", last[0]);
        Assert.Matches(@"^Test log-loss: \d+\.\d\d\d\r?$", last[1]);
        Assert.Matches(@"^Fit seconds: \d+\r?$", last[2]);
        Assert.Equal(Tool.Number(output, "Test accuracy", " %"), Tool.Number(Tool.Run("evaluate", "--model", model, "--data", train), "Test accuracy", " %"));
        Assert.Contains("Epoch 2/2", Tool.Run([.. training, "--fine-tuning", "1"]), StringComparison.Ordinal);
        string[] without = [.. training.Where(arg => arg != "--encoder" && arg != encoder)];
        Assert.Contains("Epoch 1/1", Tool.Run([.. without, "--encoder", "none", "--epochs", "1"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("There is no folder 'nowhere'; an encoder is MiniLM", "--train", "t.tsv", "--encoder", "nowhere")]
    [InlineData("choose one with --encoder", "--train", "t.tsv", "--fine-tuning", "all")]
    [InlineData("There is no file", "--train", "missing.tsv")]
    [InlineData("is a folder; --model", "--train", "t.tsv", "--model", ".")]
    [InlineData("is a folder; --report", "--train", "t.tsv", "--report", ".")]
    [InlineData("There is no file 'o.json' with options", "--train", "t.tsv", "--options", "o.json")]
    [InlineData("There is no initial model i.zip", "--train", "t.tsv", "--initial-model", "i.zip")]
    [InlineData("cannot be two of label, text and second text", "--train", "t.tsv", "--text2", "sentence")]
    [InlineData("no column 'other'; choose one with --text2", "--train", "t.tsv", "--text2", "other")]
    [InlineData("Alpha has no effect with TokenChoice", "--train", "t.tsv", "--alpha", "0.3")]
    [InlineData("whole number with Token Choice", "--train", "t.tsv", "--experts-per-token", "1.5")]
    [InlineData("ExpertsPerToken", "--train", "t.tsv", "--experts-per-token", "9")]
    [InlineData("No test row has a label that a training row has", "--train", "t.tsv", "--test", "u.tsv")]
    [InlineData("The training rows have no labels", "--train", "n.tsv")]
    public void Bad_input_is_one_line_and_exit_code_1(string explanation, params string[] args)
    {
        Write("t.tsv", Rows(20));
        Write("u.tsv", "sentence\tkind\na text\tunseen\n");
        Write("n.tsv", "sentence\tkind\na text\t\nanother\t\n");
        string[] full = ["train-text", "--label", "kind", "--text", "sentence", .. args.Select(arg => arg.EndsWith(".tsv", StringComparison.Ordinal) ? Path.Combine(Folder, arg) : arg)];
        Assert.Contains(explanation, Tool.Fail(1, full), StringComparison.Ordinal);
    }

    [Fact]
    public void One_class_only_is_explained()
    {
        var train = Write("one.tsv", "Label\tText\n" + string.Concat(Enumerable.Repeat("same\tsome words here\n", 20)));
        Assert.Contains("at least two classes", Tool.Fail(1, "train-text", "--train", train, "--test", train), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_model_is_explained()
    {
        Assert.Contains("There is no model", Tool.Fail(1, "evaluate", "--model", "missing.zip", "--data", "t.tsv"), StringComparison.Ordinal);
        var file = Write("m.zip", "no zip");
        Assert.Contains("is no model that can be loaded", Tool.Fail(1, "predict", "--model", file), StringComparison.Ordinal);
    }

    private static IEnumerable<string> FirstFields(string output)
    {
        var lines = output.TrimEnd().Split('\n').Select(line => line.TrimEnd('\r')).ToList();
        return lines.Take(1).Concat(lines.Skip(1).Select(line => line.Split('\t')[0]));
    }

    private static string Rows(int count)
    {
        var rows = new StringBuilder("sentence\tkind\n");
        for (var i = 0; i < count; i++)
            rows.Append(CultureInfo.InvariantCulture, $"{(i % 2 == 0 ? "a red fire" : "a blue lake")} with number {i}\t{(i % 2 == 0 ? "warm" : "cold")}\n");
        return rows.ToString();
    }
}
