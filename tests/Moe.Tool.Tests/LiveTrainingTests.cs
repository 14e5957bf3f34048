using Microsoft.ML.Moe;
using Spectre.Console.Testing;

namespace MoeTool.Tests;

public class LiveTrainingTests
{
    [Theory]
    [InlineData(20, 20, 20, 0.50)] // as much is left as has gone
    [InlineData(20, 60, 40, 0.50)] // 40 of 80 seconds, 20 of them since the step
    [InlineData(20, 20, 60, 1)] // slower than before
    public void Progress_goes_by_the_time_that_is_left(double told, double left, double now, double share)
    {
        var last = new LiveTraining.Estimate(TimeSpan.FromSeconds(left), TimeSpan.FromSeconds(told));
        Assert.Equal(share, LiveTraining.ShareDone(last, TimeSpan.FromSeconds(now))!.Value, 1e-9);
    }

    [Theory]
    [InlineData(0, 90)]
    [InlineData(30, 60)]
    [InlineData(100, 0)] // slower than before
    public void The_time_left_falls_after_a_step(double secondsSince, double left)
    {
        var last = new LiveTraining.Estimate(TimeSpan.FromSeconds(90), TimeSpan.FromSeconds(20));
        Assert.Equal(TimeSpan.FromSeconds(left), LiveTraining.TimeLeft(last, last.At + TimeSpan.FromSeconds(secondsSince)));
    }

    [Fact]
    public void Nothing_is_known_before_the_first_step()
    {
        Assert.Null(LiveTraining.ShareDone(null, TimeSpan.FromSeconds(10)));
        Assert.Null(LiveTraining.TimeLeft(null, TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void The_first_step_of_the_only_epoch_shows_the_time_left()
    {
        using var console = new TestConsole();
        using var training = new LiveTraining(new ToolConsole(console, TextWriter.Null, TextReader.Null));
        var options = new MoeTextClassificationTrainer.Options { MaxEpochs = 1 };
        training.Follow(options);
        Assert.Null(training.Last);
        options.StepCompleted!(new StepReport(1, 1, 500, 0.7, TimeSpan.FromMinutes(12)));
        Assert.Equal(TimeSpan.FromMinutes(12), LiveTraining.TimeLeft(training.Last, TimeSpan.Zero));
        Assert.Equal(training.StopToken, options.StopToken);
    }

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
