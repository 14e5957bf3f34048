using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Samples.Tests;

/// <summary>The samples as a newcomer meets them: short, and run in a process of their own.</summary>
public class ProgramTests
{
    [Theory]
    [InlineData("ImageClassification")]
    [InlineData("SentencePairs")]
    [InlineData("Tabular")]
    [InlineData("TextClassification")]
    public void A_sample_is_one_short_program(string sample)
    {
        var folder = Path.Combine(SamplesFolder(), sample);
        Assert.Equal(["Program.cs"], Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories).Select(Path.GetFileName));
        var program = File.ReadAllText(Path.Combine(folder, "Program.cs"));
        Assert.InRange(program.Split('\n').Length - 1, 20, 80);
        Assert.All(
            new[] { "LoadFromTextFile<", ".Fit(", ".Evaluate(", "Model.Save(", "Model.Load(", "CreatePredictionEngine<" },
            step => Assert.Contains(step, program, StringComparison.Ordinal));
    }

    [Fact]
    public void The_images_sample_trains_evaluates_saves_loads_and_predicts()
    {
        var (code, output, errors) = Run("ImageClassification");
        Assert.True(code == 0, errors);
        Assert.Matches(@"(?m)^Test accuracy: 9\d\.\d %\r?$", output);
        Assert.Matches(@"(?m)^Fit seconds: \d+\r?$", output);
        Assert.Matches(@"(?m)^Epoch 1/\d+: training loss \d", output);
        Assert.Equal(3, output.Split('→').Length - 1);
        Assert.Matches(@"(?m)^Model: .*digits\.zip\r?$", output);
    }

    [Fact]
    public void The_texts_sample_begins_with_a_published_encoder_or_from_scratch()
    {
        var (code, output, errors) = Run("TextClassification");
        Assert.True(code == 0, errors);
        Assert.Matches(@"(?m)^Test accuracy: \d+\.\d %\r?$", output);
        Assert.Matches(@"(?m)^Fit seconds: \d+\r?$", output);
        Assert.Contains("The frozen encoder has read", output, StringComparison.Ordinal);
        Assert.Equal(3, output.Split('→').Length - 1);

        (code, output, errors) = Run("TextClassification", "--from-scratch");
        Assert.True(code == 0, errors);
        Assert.Matches(@"(?m)^Test accuracy: \d+\.\d %\r?$", output);
        Assert.Matches(@"(?m)^Epoch 1/\d+: training loss \d", output);
    }

    [Fact]
    public void The_table_sample_trains_evaluates_explains_saves_loads_and_predicts()
    {
        var (code, output, errors) = Run("Tabular", "--quick");
        Assert.True(code == 0, errors);
        Assert.Matches(@"(?m)^Test RMSE: \d\.\d+ doublings, R²: 0\.\d+\r?$", output);
        Assert.Matches(@"(?m)^Epoch 1/2: training loss \d.*mean absolute error \d", output);
        Assert.Matches(@"(?m)^Parameters: \+\d\.\d+\r?$", output);
        Assert.Matches(@"(?m)^→ \d+ bytes; the members differ by \d+\.\d doublings\r?$", output);
    }

    [Theory]
    [InlineData(TinyCausal.Olmoe, @"(?m)^\d\.\d\d experts per token, perplexity \d")]
    [InlineData(TinyCausal.Llama, "The model is dense: there is nothing to re-route.")]
    [InlineData(TinyCausal.Switch, "Each token has one expert already: there is nothing to save.")]
    public void The_generation_sample_writes_reroutes_saves_and_loads(string config, string told)
    {
        using var folder = new TemporaryFolder();
        TinyCausal.Write(folder.Path, config);
        const string Prompt = "the river bends";
        var (code, output, errors) = Run("Generation", folder.Path, Prompt);
        Assert.True(code == 0, errors);
        Assert.StartsWith(Prompt, output, StringComparison.Ordinal);
        Assert.Contains($"{Prompt} → ", output, StringComparison.Ordinal);
        Assert.Contains("Once upon a time → ", output, StringComparison.Ordinal);
        Assert.Matches(told, output);
        Assert.Matches(@"(?m)^Model: .*generator\.zip\r?$", output);
    }

    [Fact]
    public void The_generation_sample_says_how_it_is_used()
    {
        var (code, output, errors) = Run("Generation");
        Assert.True(code == 0, errors);
        Assert.StartsWith("Usage: ", output, StringComparison.Ordinal);
        Assert.InRange(File.ReadAllLines(Path.Combine(SamplesFolder(), "Generation", "Program.cs")).Length, 20, 90);
    }

    private static (int Code, string Output, string Errors) Run(string sample, params string[] args) => RunWith(null, sample, args);

    /// <summary>Runs a sample in a process of its own.</summary>
    /// <param name="input">What it reads from standard input; null for nothing.</param>
    /// <param name="sample">Its name.</param>
    /// <param name="args">Its arguments.</param>
    internal static (int Code, string Output, string Errors) RunWith(string? input, string sample, params string[] args)
    {
        var host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        return Run(input, host, [Path.Combine(AppContext.BaseDirectory, sample + ".dll"), .. args]);
    }

    /// <summary>Runs a program.</summary>
    internal static (int Code, string Output, string Errors) Run(string? input, string program, string[] args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            Environment = { ["MLNETMOE_SAMPLE_SHARE"] = "0.03" },
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }

    internal static string SamplesFolder([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", "samples"));
}
