using System.Diagnostics;
using System.Text;

namespace ImageClassification.Tests;

/// <summary>The program as a user runs it: in a process of its own.</summary>
public sealed class ProgramTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_trains_evaluates_saves_reloads_and_predicts()
    {
        var model = Path.Combine(_folder.Path, "models", "digits.zip");
        var (code, output, errors) = Run("--model", model, "--epochs", "1");
        Assert.True(code == 0, errors);
        Assert.Matches(@"(?m)^Test accuracy: \d+\.\d %\r?$", output);
        Assert.Matches(@"(?m)^Epoch 1/1: training loss \d", output);
        Assert.Equal(3, output.Split('→').Length - 1);
        Assert.Contains(model, output, StringComparison.Ordinal);
        Assert.True(new FileInfo(model).Length > 0);
    }

    [Theory]
    [InlineData(1, "There is no folder", "--data", "missing")]
    [InlineData(1, "is a folder", "--model", ".")]
    [InlineData(2, "--epochs takes a whole number", "--epochs", "none")]
    public void Bad_input_is_one_line_and_an_exit_code(int exitCode, string explanation, params string[] args)
    {
        var (code, _, errors) = Run(args);
        Assert.Equal(exitCode, code);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.Contains(explanation, Assert.Single(errors.Split('\n'), line => line.StartsWith("Error: ", StringComparison.Ordinal)), StringComparison.Ordinal);
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
