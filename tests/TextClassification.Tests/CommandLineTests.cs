using System.CommandLine;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Samples;

namespace TextClassification.Tests;

public class CommandLineTests
{
    [Fact]
    public void Without_arguments_everything_has_a_default()
    {
        var arguments = Read();
        Assert.Equal(new Arguments(), arguments);
        Assert.Null(arguments.Train);
        Assert.Equal(("Label", "Text", 1), (arguments.Label, arguments.Text, arguments.Seed));
        Assert.EndsWith(".zip", arguments.Model, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_option_is_read() =>
        Assert.Equal(
            new Arguments
            {
                Train = "a.tsv",
                Validation = "v.tsv",
                Test = "b.tsv",
                Label = "intent",
                Text = "utterance",
                Model = Path.GetFullPath("m.zip"),
                Epochs = 3,
                Seed = -7,
                Threads = 2,
                Device = MoeDevice.CpuLibTorch,
                Experts = 8,
                Router = RouterKind.Unified,
                ExpertsPerToken = 1.5,
                Alpha = 0.3,
                MoeEvery = 2,
                GlobalWorkspace = 0.75,
                Report = Path.GetFullPath("r.html"),
                CompareRouting = true,
            },
            Read("--train", "a.tsv", "--validation", "v.tsv", "--test", "b.tsv", "--label", "intent", "--text", "utterance", "--model",
                "m.zip", "--epochs", "3", "--seed", "-7", "--threads=2", "--device", "cpu-lib-torch", "--experts", "8", "--router", "unified",
                "--experts-per-token", "1.5", "--alpha", "0.3", "--moe-every", "2",
                "--global-workspace", "0.75", "--report", "r.html", "--compare-routing"));

    [Fact]
    public void Only_what_is_given_replaces_the_library_s_defaults()
    {
        var defaults = new MoeTextClassificationTrainer.Options();
        var options = new MoeTextClassificationTrainer.Options();
        new Arguments().ApplyTo(options);
        Assert.Equal((defaults.MaxEpochs, defaults.Threads, defaults.Experts), (options.MaxEpochs, options.Threads, options.Experts));
        Assert.Equal((defaults.ExpertsPerToken, defaults.MoeEvery), (options.ExpertsPerToken, options.MoeEvery));
        Assert.Equal((defaults.Router, defaults.Alpha), (options.Router, options.Alpha));
        Assert.Null(options.GlobalWorkspace);

        new Arguments { Epochs = 3, Threads = 1, Experts = 8, Router = RouterKind.ExpertChoice, ExpertsPerToken = 1, Alpha = 1, MoeEvery = 2 }
            .ApplyTo(options);
        new Arguments { GlobalWorkspace = 0.8, Device = MoeDevice.Cpu }.ApplyTo(options);
        Assert.Equal((MoeDevice.Automatic, MoeDevice.Cpu), (defaults.Device, options.Device));
        Assert.Equal(new GlobalWorkspaceSettings(0.8), options.GlobalWorkspace);
        Assert.Equal((RouterKind.ExpertChoice, 1), (options.Router, options.Alpha));
        Assert.Equal((3, 1, 8), (options.MaxEpochs, options.Threads, options.Experts));
        Assert.Equal((1, 2), (options.ExpertsPerToken, options.MoeEvery));
    }

    [Theory]
    [InlineData("--epochs takes a whole number of at least 1, not '0'.", "--epochs", "0")]
    [InlineData("--experts takes a whole number of at least 1, not 'many'.", "--experts", "many")]
    [InlineData("--router takes one of token-choice, expert-choice, unified, not 'best'.", "--router", "best")]
    [InlineData("--alpha takes a number, not 'half'.", "--alpha", "half")]
    [InlineData("--global-workspace takes a number, not 'on'.", "--global-workspace", "on")]
    [InlineData("--moe-every takes a whole number of at least 0, not '-1'.", "--moe-every", "-1")]
    [InlineData("--seed takes a whole number, not '1.5'.", "--seed", "1.5")]
    [InlineData("--test needs --train.", "--test", "b.tsv")]
    [InlineData("--validation needs --train.", "--validation", "b.tsv")]
    [InlineData("--report needs experts", "--moe-every", "0", "--report", "r.html")]
    [InlineData("--compare-routing needs experts", "--moe-every", "0", "--compare-routing")]
    [InlineData("--label needs --train.", "--label", "intent")]
    [InlineData("'--bogus'", "--bogus")]
    [InlineData("'--train'", "--train")]
    public void Wrong_usage_is_explained(string explanation, params string[] args)
    {
        var result = CommandLine.Parse(args, _ => { });
        Assert.Contains(result.Errors, error => error.Message.Contains(explanation, StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_without_experts_is_possible()
    {
        var result = CommandLine.Parse(["--moe-every", "0"], _ => { });
        Assert.Empty(result.Errors);
        Assert.Equal(0, CommandLine.Read(result).MoeEvery);
    }

    [Fact]
    public void A_failure_is_told_in_one_line_from_its_innermost_cause()
    {
        var failure = new AggregateException(new ArgumentOutOfRangeException("experts", "Too\n  many."));
        Assert.Equal("Too many.", CommandOptions.OneLine(failure));
    }

    private static Arguments Read(params string[] args) => CommandLine.Read(CommandLine.Parse(args, _ => { }));
}
