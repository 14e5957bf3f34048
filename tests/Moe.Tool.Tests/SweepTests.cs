using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace MoeTool.Tests;

/// <summary>Sweeps from the command line, on small tables.</summary>
public class SweepTests : FolderTests
{
    private static readonly string[][] Words = [["rain", "sun", "cloud", "wind"], ["bread", "soup", "apple", "rice"]];

    [Fact]
    public void Texts_are_swept_and_the_same_command_takes_the_sweep_up()
    {
        var (train, model, journal, page) = (Write("t.tsv", Texts(80)), Path.Combine(Folder, "m.zip"), Path.Combine(Folder, "s.jsonl"), Path.Combine(Folder, "p.html"));
        string[] command =
        [
            "sweep-text", "--train", train, "--label", "Kind", "--text", "Words", "--epochs", "3", "--workers", "1", "--journal", journal, "--model", model,
            "--page", page, "--trials",
        ];
        var first = Tool.Run([.. command, "2"]);
        Assert.Matches(@"(?m)^Trial 1: ", first);
        var output = Tool.Run([.. command, "3"]);
        Assert.DoesNotMatch(@"(?m)^Trial 1: ", output);
        var last = output.TrimEnd().Split('\n')[^2..];
        Assert.Matches(@"^Trials: 3\r?$", last[0]);
        Assert.Matches(@"^Best log-loss: \d+\.\d{4} \(trial \d\)\r?$", last[1]);
        Assert.Equal(SweepResult.Read(journal).Best!.Number, last[1].TrimEnd()[^2] - '0');
        Assert.Contains("Leaderboard", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.True(Tool.Number(output, "Test accuracy", " %") > 60, output);
        Assert.Matches(@"(?m)^Test accuracy: ", Tool.Run("evaluate", "--model", model, "--data", train, "--label", "Kind"));
    }

    [Theory]
    [InlineData("multiclass", "kind", "log-loss")]
    [InlineData("binary", "large", "log-loss")]
    [InlineData("regression", "size", "RMSE")]
    public void Tables_are_swept(string task, string label, string metric)
    {
        var model = Path.Combine(Folder, "m.zip");
        var output = Tool.Run(
            "sweep-table", "--train", Write("t.csv", Table(120)), "--label", label, "--task", task, "--epochs", "2", "--trials", "3", "--ensemble", "2",
            "--model", model);
        Assert.Matches($@"Trials: 3\r?\nBest {metric}: \d+\.\d{{4}} \(trial \d\)\s*$", output);
        using var loaded = (IDisposable)new MLContext().Model.Load(model, out _);
        Assert.NotNull(loaded);
    }

    [Fact]
    public void Models_that_write_are_swept()
    {
        var folder = TinyCausal.Write(Path.Combine(Folder, "switch"), TinyCausal.Switch, generation: """{ "eos_token_id": 1, "max_new_tokens": 8 }""");
        var rows = "Source\tTarget\n" + string.Concat(Enumerable.Range(0, 30).Select(i => $"{(i % 2 == 0 ? "ab" : "cd")}\t{(i % 2 == 0 ? "bb" : "dd")}\n"));
        var model = Path.Combine(Folder, "m.zip");
        string[] command = ["sweep-text-to-text", "--from", folder, "--train", Write("t.tsv", rows), "--epochs", "2", "--trials", "2", "--model", model];
        var output = Tool.Run([.. command, "--metric", "f1"]);
        Assert.InRange(Tool.Number(output, "Test F1", " %"), 0, 100);
        Assert.Matches(@"Trials: 2\r?\nBest F1: \d+\.\d\d % \(trial \d\)\s*$", output);
        using var loaded = (IDisposable)new MLContext().Model.Load(model, out _);
        Assert.IsType<MoeTextGenerationTransformer>(loaded);
        Assert.Matches(@"Best log-loss: \d+\.\d{4} \(trial \d\)\s*$", Tool.Run(command));
        Assert.Contains("--ensemble", Tool.Fail(2, [.. command, "--ensemble", "2"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Images_are_swept()
    {
        for (var i = 0; i < 12; i++)
        {
            WriteBitmap($"photos/red/{i}.bmp", red: 230, blue: (byte)(5 * i));
            WriteBitmap($"photos/blue/{i}.bmp", red: (byte)(5 * i), blue: 230);
        }

        var output = Tool.Run("sweep-images", "--data", Path.Combine(Folder, "photos"), "--size", "8", "--epochs", "2", "--trials", "2");
        Assert.Matches(@"Trials: 2\r?\nBest log-loss: \d+\.\d{4} \(trial \d\)\s*$", output);
    }

    [Fact]
    public void What_makes_no_sense_is_said_in_one_line()
    {
        var train = Write("t.tsv", Texts(20));
        Assert.Contains("--minutes takes a number over 0", Tool.Fail(2, "sweep-text", "--train", train, "--minutes", "0"), StringComparison.Ordinal);
        Assert.Contains("--ensemble", Tool.Fail(2, "sweep-text", "--train", train, "--ensemble", "99"), StringComparison.Ordinal);
        Assert.Contains("no column 'Label'", Tool.Fail(1, "sweep-text", "--train", train, "--text", "Words"), StringComparison.Ordinal);
        var journal = Write("s.jsonl", "no journal\n");
        Assert.Contains(
            "line 1", Tool.Fail(1, "sweep-text", "--train", train, "--label", "Kind", "--text", "Words", "--journal", journal), StringComparison.Ordinal);
    }

    private static string Texts(int count)
    {
        var random = new Random(1);
        return "Kind\tWords\n" + string.Concat(Enumerable.Range(0, count).Select(i =>
            $"{(i % 2 == 0 ? "weather" : "food")}\t{string.Join(' ', Enumerable.Range(0, 5).Select(_ => Words[i % 2][random.Next(4)]))}\n"));
    }

    private static string Table(int count)
    {
        var random = new Random(2);
        return "colour,size,large,kind\n" + string.Concat(Enumerable.Range(0, count).Select(_ =>
        {
            var (colour, size) = (random.Next(3), 10 * random.NextSingle());
            return string.Create(CultureInfo.InvariantCulture, $"c{colour},{size:F2},{(size > 5 ? "yes" : "no")},{(size > 5 ? "big" : $"k{colour}")}\n");
        }));
    }
}
