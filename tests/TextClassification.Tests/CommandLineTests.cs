using System.CommandLine;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;

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
                Experts = 8,
                Router = RouterKind.Unified,
                ExpertsPerToken = 1.5,
                Alpha = 0.3,
                MoeEvery = 0,
            },
            Read("--train", "a.tsv", "--validation", "v.tsv", "--test", "b.tsv", "--label", "intent", "--text", "utterance", "--model",
                "m.zip", "--epochs", "3", "--seed", "-7", "--threads=2", "--experts", "8", "--router", "unified",
                "--experts-per-token", "1.5", "--alpha", "0.3", "--moe-every", "0"));

    [Fact]
    public void Only_what_is_given_replaces_the_library_s_defaults()
    {
        var defaults = new MoeTextClassificationTrainer.Options();
        var options = new MoeTextClassificationTrainer.Options();
        new Arguments().ApplyTo(options);
        Assert.Equal((defaults.MaxEpochs, defaults.Threads, defaults.Experts), (options.MaxEpochs, options.Threads, options.Experts));
        Assert.Equal((defaults.ExpertsPerToken, defaults.MoeEvery), (options.ExpertsPerToken, options.MoeEvery));
        Assert.Equal((defaults.Router, defaults.Alpha), (options.Router, options.Alpha));

        new Arguments { Epochs = 3, Threads = 1, Experts = 8, Router = RouterKind.ExpertChoice, ExpertsPerToken = 1, Alpha = 1, MoeEvery = 2 }
            .ApplyTo(options);
        Assert.Equal((RouterKind.ExpertChoice, 1), (options.Router, options.Alpha));
        Assert.Equal((3, 1, 8), (options.MaxEpochs, options.Threads, options.Experts));
        Assert.Equal((1, 2), (options.ExpertsPerToken, options.MoeEvery));
    }

    [Theory]
    [InlineData("--epochs takes a whole number of at least 1, not '0'.", "--epochs", "0")]
    [InlineData("--experts takes a whole number of at least 1, not 'many'.", "--experts", "many")]
    [InlineData("--router takes one of token-choice, expert-choice, unified, not 'best'.", "--router", "best")]
    [InlineData("--alpha takes a number, not 'half'.", "--alpha", "half")]
    [InlineData("--moe-every takes a whole number of at least 0, not '-1'.", "--moe-every", "-1")]
    [InlineData("--seed takes a whole number, not '1.5'.", "--seed", "1.5")]
    [InlineData("--test needs --train.", "--test", "b.tsv")]
    [InlineData("--validation needs --train.", "--validation", "b.tsv")]
    [InlineData("--label needs --train.", "--label", "intent")]
    [InlineData("'--bogus'", "--bogus")]
    [InlineData("'--train'", "--train")]
    public void Wrong_usage_is_explained(string explanation, params string[] args)
    {
        var result = CommandLine.Parse(args, _ => { });
        Assert.Contains(result.Errors, error => error.Message.Contains(explanation, StringComparison.Ordinal));
    }

    [Fact]
    public void A_failure_is_told_in_one_line_from_its_innermost_cause()
    {
        var failure = new AggregateException(new ArgumentOutOfRangeException("experts", "Too\n  many."));
        Assert.Equal("Too many.", CommandLine.OneLine(failure));
    }

    private static Arguments Read(params string[] args) => CommandLine.Read(CommandLine.Parse(args, _ => { }));
}
