using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Tests;

/// <summary>How far a training is, as its log and its callbacks tell it.</summary>
public sealed class FitObserverTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];
    private readonly List<StepReport> _steps = [];
    private readonly Clock _clock = new();
    private readonly IChannel _channel;
    private readonly IProgressChannel _progress;
    private readonly FitObserver _observer;

    public FitObserverTests()
    {
        var host = ((IHostEnvironment)_ml).Register("Trainer");
        (_channel, _progress) = (host.Start("Training"), host.StartProgressChannel("Fit"));
        _ml.Log += (_, e) => _log.AddRange(e.Kind == ChannelMessageKind.Info ? [e.RawMessage] : []);
        var options = new MoeTextToTextTrainer.Options { StepCompleted = _steps.Add };
        _observer = new FitObserver(host, _channel, _progress, options, _clock);
    }

    public void Dispose()
    {
        _progress.Dispose();
        _channel.Dispose();
    }

    [Fact]
    public void A_long_epoch_tells_once_a_minute_how_far_it_is()
    {
        // 25 seconds a step: a line after the third and the sixth
        for (var step = 1; step <= 7; step++)
            Step(step, 25, loss: step);
        Assert.Equal(
            ["Epoch 1, step 3/100: training loss 2.0000, 1:05:10 left.", "Epoch 1, step 6/100: training loss 5.0000, 1:05:07 left."], _log);
    }

    [Fact]
    public void The_line_of_an_epoch_takes_the_place_of_one_within_it()
    {
        Step(1, 59, loss: 1);
        _observer.OnEpoch(new EpochReport(1, 2, 1, null, null, 1e-3, 10, IsBest: true) { TimeLeft = TimeSpan.FromSeconds(75) });
        Step(2, 59, loss: 3);
        Assert.Equal(["Epoch 1/2: training loss 1.0000, 10 rows/s, 0:01:15 left."], _log);
        Step(3, 1, loss: 5);
        Assert.Equal("Epoch 1, step 3/100: training loss 4.0000, 1:05:10 left.", _log[^1]);
    }

    [Fact]
    public void The_last_step_of_an_epoch_leaves_it_to_the_epochs_line()
    {
        Step(100, 300, loss: 1);
        Assert.Empty(_log);
    }

    [Fact]
    public void Each_step_tells_the_time_that_is_left()
    {
        Step(1, 0, loss: 0.5);
        Step(2, 0, loss: 0.25);
        Assert.Equal(
            [new(1, 1, 100, 0.5, TimeSpan.FromSeconds(3912)), new(1, 2, 100, 0.25, TimeSpan.FromSeconds(3911))],
            _steps);
    }

    private void Step(int step, int seconds, double loss)
    {
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        _observer.OnTimeLeft(TimeSpan.FromSeconds(3913 - step));
        _observer.OnStep(1, step, 100, loss);
    }

    /// <summary>A clock that goes on when it is told to.</summary>
    private sealed class Clock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;
    }
}
