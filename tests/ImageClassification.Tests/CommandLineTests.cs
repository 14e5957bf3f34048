using System.CommandLine;
using Microsoft.ML.Moe;

namespace ImageClassification.Tests;

public class CommandLineTests
{
    [Fact]
    public void Without_arguments_everything_has_a_default()
    {
        var arguments = Read();
        Assert.Equal(new Arguments(), arguments);
        Assert.Null(arguments.Data);
        Assert.EndsWith(".zip", arguments.Model, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_option_is_read() =>
        Assert.Equal(
            new Arguments
            {
                Data = "photos",
                Test = "test.tsv",
                Size = 32,
                Flip = true,
                Model = Path.GetFullPath("m.zip"),
                Epochs = 3,
                Seed = -7,
                Threads = 2,
                Device = MoeDevice.CpuLibTorch,
                Experts = 8,
                MoeEvery = 2,
            },
            Read("--data", "photos", "--test", "test.tsv", "--size", "32", "--flip", "--model", "m.zip", "--epochs", "3", "--seed", "-7",
                "--threads=2", "--device", "cpu-lib-torch", "--experts", "8", "--moe-every", "2"));

    [Fact]
    public void Only_what_is_given_replaces_the_library_s_defaults()
    {
        var defaults = new MoeImageClassificationTrainer.Options();
        var options = new MoeImageClassificationTrainer.Options();
        new Arguments().ApplyTo(options);
        foreach (var option in options.GetType().GetProperties())
            Assert.Equal(option.GetValue(defaults), option.GetValue(options));

        new Arguments { Size = 32, Flip = true, Epochs = 3, Threads = 1, Device = MoeDevice.Cpu, Experts = 8, MoeEvery = 2 }.ApplyTo(options);
        Assert.Equal((32, true, 3, 1), (options.ImageWidth, options.HorizontalFlip, options.MaxEpochs, options.Threads));
        Assert.Equal((MoeDevice.Cpu, 8, 2), (options.Device, options.Experts, options.MoeEvery));
    }

    [Theory]
    [InlineData("--epochs takes a whole number of at least 1, not '0'.", "--epochs", "0")]
    [InlineData("--device takes one of automatic, cpu, cpu-lib-torch, gpu, not 'tpu'.", "--device", "tpu")]
    [InlineData("--test needs --data.", "--test", "b.tsv")]
    [InlineData("--size needs --data.", "--size", "32")]
    [InlineData("'--bogus'", "--bogus")]
    public void Wrong_usage_is_explained(string explanation, params string[] args)
    {
        var result = CommandLine.Parse(args, _ => { });
        Assert.Contains(result.Errors, error => error.Message.Contains(explanation, StringComparison.Ordinal));
    }

    private static Arguments Read(params string[] args) => CommandLine.Read(CommandLine.Parse(args, _ => { }));
}
