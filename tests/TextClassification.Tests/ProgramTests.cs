using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace TextClassification.Tests;

/// <summary>The program as a user runs it: in a process of its own, on small tables.</summary>
public sealed class ProgramTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_trains_evaluates_saves_reloads_and_predicts()
    {
        var train = _folder.Write("train.tsv", Rows("label", "sentence", 120));
        var (model, report) = (Path.Combine(_folder.Path, "models", "colours.zip"), Path.Combine(_folder.Path, "reports", "routing.html"));
        var (code, output, errors) = Run(
            "--train", train, "--label", "label", "--text", "sentence", "--model", model, "--epochs", "2", "--threads", "1",
            "--global-workspace", "0.9", "--report", report, "--compare-routing");
        Assert.True(code == 0, errors);
        Assert.Matches(@"(?m)^Test accuracy: \d+\.\d %\r?$", output);
        Assert.Matches(@"(?m)^Fit seconds: \d+\r?$", output);
        Assert.Matches(@"(?m)^Epoch 2/2: training loss \d", output);
        Assert.Equal(3, output.Split('→').Length - 1);
        Assert.Contains(model, output, StringComparison.Ordinal);
        Assert.True(new FileInfo(model).Length > 0);
        Assert.Contains(report, output, StringComparison.Ordinal);
        Assert.StartsWith("<!doctype html>", File.ReadAllText(report), StringComparison.Ordinal);
        Assert.Contains("Most often uncertain:", output, StringComparison.Ordinal);
        Assert.Contains("Unified, 1.5 experts per token", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "There is no file", "--train", "missing.tsv")]
    [InlineData(1, "is a folder", "--model", ".")]
    [InlineData(1, "is a folder; --report", "--report", ".")]
    [InlineData(2, "--epochs takes a whole number", "--epochs", "none")]
    public void Bad_input_is_one_line_and_an_exit_code(int exitCode, string explanation, params string[] args)
    {
        var (code, _, errors) = Run(args);
        Assert.Equal(exitCode, code);
        Assert.Contains(explanation, OnlyError(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void One_class_only_is_explained()
    {
        var train = _folder.Write("one.tsv", "Label\tText\n" + string.Concat(Enumerable.Repeat("same\tsome words here\n", 20)));
        var (code, _, errors) = Run("--train", train, "--test", train, "--model", Path.Combine(_folder.Path, "m.zip"));
        Assert.Equal(1, code);
        Assert.Contains("at least two classes", OnlyError(errors), StringComparison.Ordinal);
    }

    // One line that says what is wrong, no stack trace; other lines may tell of the feed or where help is.
    private static string OnlyError(string errors)
    {
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        return Assert.Single(errors.Split('\n'), line => line.StartsWith("Error: ", StringComparison.Ordinal));
    }

    private static string Rows(string label, string text, int count)
    {
        var rows = new StringBuilder($"{label}\t{text}\n");
        for (var i = 0; i < count; i++)
            rows.Append(CultureInfo.InvariantCulture, $"{(i % 2 == 0 ? "warm\ta red fire" : "cold\ta blue lake")} with number {i}\n");
        return rows.ToString();
    }

    private (int Code, string Output, string Errors) Run(params string[] args)
    {
        var host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(host, [typeof(Arguments).Assembly.Location, .. args])
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}
