using Microsoft.ML.Moe.Training;
using Spectre.Console.Testing;

namespace MoeTool.Tests;

public class LiveTrainingTests
{
    [Theory]
    [InlineData(0, 20, 0.50)] // two of four epochs in 20 seconds
    [InlineData(5, 25, 0.625)]
    [InlineData(60, 80, 0.7475)] // slower than before: just short of the next epoch's end
    public void Progress_goes_by_the_time_that_the_epochs_before_took(double secondsSince, double now, double share)
    {
        var report = new EpochReport(2, 4, 1, null, null, 1e-3, 1000, IsBest: false);
        var (end, time) = (TimeSpan.FromSeconds(now - secondsSince), TimeSpan.FromSeconds(now));
        Assert.Equal(share, LiveTraining.ShareDone(report, end, time)!.Value, 1e-9);
    }

    [Theory]
    [InlineData(0, 90)]
    [InlineData(30, 60)]
    [InlineData(100, 0)] // slower than before
    public void The_time_left_falls_after_a_report(double secondsSince, double left)
    {
        var report = new EpochReport(2, 4, 1, null, null, 1e-3, 1000, IsBest: false) { TimeLeft = TimeSpan.FromSeconds(90) };
        var end = TimeSpan.FromSeconds(20);
        Assert.Equal(TimeSpan.FromSeconds(left), LiveTraining.TimeLeft(report, end, end + TimeSpan.FromSeconds(secondsSince)));
        Assert.Null(LiveTraining.TimeLeft(null, TimeSpan.Zero, end));
    }

    [Fact]
    public void Progress_is_not_known_before_the_first_epoch_has_ended() =>
        Assert.Null(LiveTraining.ShareDone(null, TimeSpan.Zero, TimeSpan.FromSeconds(10)));

    [Fact]
    public void The_first_request_ends_training_and_the_second_the_program()
    {
        using var console = new TestConsole();
        using var training = new LiveTraining(new ToolConsole(console, TextWriter.Null, TextReader.Null));
        Assert.True(training.Run(() => training.Stop() && training.StopToken.IsCancellationRequested));
        Assert.Contains("Ending training", console.Output, StringComparison.Ordinal);
        Assert.False(training.Stop());
    }
}
