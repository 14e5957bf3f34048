using System.Globalization;

namespace MoeTool.Tests;

/// <summary>Tables of numbers and categories, from the file to the figures.</summary>
public class TrainTableTests : FolderTests
{
    private static readonly string[] Colours = ["red", "green", "blue"];

    [Fact]
    public void Classes_are_learned_and_the_model_is_kept()
    {
        var (train, test, model) = (Write("train.csv", Rows(200, 1)), Write("test.csv", Rows(80, 2)), Path.Combine(Folder, "m.zip"));
        var output = Tool.Run(
            "train-table", "--train", train, "--test", test, "--label", "kind", "--task", "multiclass", "--threads", "1", "--model", model,
            "--options", Small());
        Assert.Contains("2 columns are numbers, 1 are categories.", output, StringComparison.Ordinal);
        Assert.True(Tool.Number(output, "Test accuracy") > 0.8, output);
        Assert.Matches(@"(?m)^Test log-loss: \d+\.\d{4}\r?$", output);
        Assert.Matches(@"(?m)^Fit seconds: \d+\r?$", output);

        Assert.Equal(Figures(output), Figures(Tool.Run("evaluate", "--model", model, "--data", test, "--label", "kind")));
        Assert.Contains("layer", Tool.Run("report", "--model", model, "--data", test), StringComparison.Ordinal);
        Assert.Contains(
            "Unified", Tool.Run("report", "--model", model, "--data", test, "--label", "kind", "--compare"), StringComparison.OrdinalIgnoreCase);
        var lines = Tool.Run("predict", "--model", model, "--data", test).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["PredictedLabel", "Probability", "size", "noise", "colour"], lines[0].TrimEnd().Split('\t'));
        Assert.Equal(81, lines.Length);
        Assert.All(lines[1..], line => Assert.Contains(line.Split('\t')[0], Colours.Append("big")));
        Assert.Contains("needs --data", Tool.Fail(1, "predict", "--model", model), StringComparison.Ordinal);
    }

    [Fact]
    public void Yes_or_no_is_learned_with_or_without_experts()
    {
        var (train, model) = (Write("train.csv", Rows(200, 1, "large")), Path.Combine(Folder, "m.zip"));
        foreach (var extra in new[] { Array.Empty<string>(), ["--dense"] })
        {
            var output = Tool.Run(
                ["train-table", "--train", train, "--validation", train, "--label", "large", "--task", "binary", "--threads", "1", "--seed", "3", "--model", model,
                    "--options", Small(), .. extra]);
            Assert.Contains("'yes' counts as true.", output, StringComparison.Ordinal);
            Assert.True(Tool.Number(output, "Test AUC") > 0.9, output);
            Assert.InRange(Tool.Number(output, "Test log-loss"), 0, 0.6);
        }
    }

    [Fact]
    public void A_number_is_learned()
    {
        var (test, model) = (Write("test.csv", Rows(80, 2)), Path.Combine(Folder, "m.zip"));
        var output = Tool.Run(
            "train-table", "--train", Write("train.csv", Rows(200, 1)), "--test", test, "--label", "size", "--task", "regression", "--threads", "1",
            "--model", model, "--options", Small());
        Assert.Matches(@"(?m)^Test RMSE: \d+\.\d{4}\r?$", output);
        Assert.True(Tool.Number(output, "Test RMSE") < 3, output);
        Assert.Equal(Figures(output), Figures(Tool.Run("evaluate", "--model", model, "--data", test, "--label", "size")));
        var lines = Tool.Run("predict", "--model", model, "--data", test).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("Prediction\t", lines[0], StringComparison.Ordinal);
        Assert.All(lines[1..], line => Assert.InRange(float.Parse(line.Split('\t')[0], CultureInfo.InvariantCulture), -5f, 15f));
    }

    [Fact]
    public void Numbers_are_categories_where_that_is_said()
    {
        var train = Write("train.csv", Rows(200, 1));
        Assert.Contains(
            "1 columns are numbers, 2 are categories.",
            Tool.Run("train-table", "--train", train, "--label", "kind", "--task", "multiclass", "--threads", "1", "--categorical", "noise",
                "--options", Small()),
            StringComparison.Ordinal);
        Assert.Contains(
            "'nothing'", Tool.Fail(1, "train-table", "--train", train, "--label", "kind", "--task", "multiclass", "--categorical", "nothing"),
            StringComparison.Ordinal);
    }

    [Fact]
    public void What_makes_no_sense_is_said_in_one_line()
    {
        var train = Write("train.csv", Rows(60, 1));
        Assert.Contains(
            "needs a label of two values; there are 4", Tool.Fail(1, "train-table", "--train", train, "--label", "kind", "--task", "binary"),
            StringComparison.Ordinal);
        Assert.Contains(
            "has no column 'nothing'", Tool.Fail(1, "train-table", "--train", train, "--label", "nothing", "--task", "binary"),
            StringComparison.Ordinal);
        Assert.Contains(
            "--dense", Tool.Fail(2, "train-table", "--train", train, "--task", "binary", "--dense", "--moe-every", "1"), StringComparison.Ordinal);
    }

    private static string[] Figures(string output) =>
        [.. output.Split('\n').Where(line => line.StartsWith("Test ", StringComparison.Ordinal)).Select(line => line.TrimEnd())];

    private string Small() => Write(
        "small.json", """{ "width": 16, "experts": 4, "expertWidth": 16, "members": 4, "maxEpochs": 15, "learningRate": 0.01, "batchSize": 16 }""");

    // some sizes are missing; the two labels are of one kind, so that only one is in the table
    private static string Rows(int count, int seed, string label = "kind")
    {
        var random = new Random(seed);
        return $"colour,size,noise,{label}\n" + string.Concat(Enumerable.Range(0, count).Select(_ =>
        {
            var (colour, size) = (Colours[random.Next(3)], 10 * random.NextSingle());
            var shown = random.Next(12) == 0 ? "" : size.ToString("F2", CultureInfo.InvariantCulture);
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{colour},{shown},{random.NextSingle():F3},{(label == "kind" ? size > 5 ? "big" : colour : size > 5 ? "yes" : "no")}\n");
        }));
    }
}
