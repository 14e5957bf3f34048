namespace Microsoft.ML.Moe.Experiments.Tests;

public class CommandLineTests
{
    [Fact]
    public void Only_the_data_folder_has_no_default()
    {
        var arguments = CommandLine.Read(CommandLine.Parse(["--data", "d"]));
        Assert.Equal("d", arguments.Data);
        Assert.Equal([1, 2, 3, 4, 5], arguments.Seeds);
        Assert.Equal(["finetune", "routers", "flops", "linear", "inference"], arguments.Studies);
        Assert.Equal((Environment.ProcessorCount, 1, null, null, false), (
            arguments.Threads, arguments.Parallel, arguments.Epochs, arguments.Rows, arguments.ReportOnly));
        Assert.NotEmpty(CommandLine.Parse([]).Errors);
    }

    [Fact]
    public void Every_option_is_read()
    {
        var arguments = CommandLine.Read(CommandLine.Parse(
        [
            "flops", "routers", "--data", "d", "--out", "o", "--seeds", "3-5", "--threads", "4", "--parallel", "2", "--epochs", "7",
            "--rows", "9", "--report-only",
        ]));
        Assert.Equal(["flops", "routers"], arguments.Studies);
        Assert.Equal(("d", "o"), (arguments.Data, arguments.Output));
        Assert.Equal((4, 2, 7, 9, true), (
            arguments.Threads, arguments.Parallel, arguments.Epochs, arguments.Rows, arguments.ReportOnly));
        Assert.Equal([3, 4, 5], arguments.Seeds);
        Assert.Equal([-2], CommandLine.Read(CommandLine.Parse(["--data", "d", "--seeds=-2"])).Seeds);
    }

    [Theory]
    [InlineData("There is no study 'best'", "best")]
    [InlineData("--seeds takes a whole number or a range such as 1-5, not '5-1'.", "--seeds", "5-1")]
    [InlineData("--seeds takes a whole number or a range such as 1-5, not 'x'.", "--seeds", "x")]
    [InlineData("--parallel takes a whole number of at least 1, not '0'.", "--parallel", "0")]
    public void Wrong_usage_is_explained(string explanation, params string[] args)
    {
        var result = CommandLine.Parse(["--data", "d", .. args]);
        Assert.Contains(result.Errors, error => error.Message.Contains(explanation, StringComparison.Ordinal));
    }

    [Fact]
    public void A_missing_folder_ends_the_program_with_an_error_code()
    {
        using var folder = new TemporaryFolder();
        var nothing = Path.Combine(folder.Path, "nothing");
        Assert.Equal(1, CommandLine.Run(["flops", "--data", nothing, "--out", Path.Combine(folder.Path, "out"), "--seeds", "1"]));
    }
}
