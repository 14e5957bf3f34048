using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contract.Tests;

public sealed class EnvironmentTests
{
    [Fact]
    public void LogTellsKindSourceAndMessage()
    {
        var ml = new MLContext(1);
        var log = new List<LoggingEventArgs>();
        ml.Log += (_, e) => log.Add(e);
        var host = ((IHostEnvironment)ml).Register("Trainer");
        using (var channel = host.Start("Fit"))
        {
            channel.Info(MessageSensitivity.None, "Epoch {0} of {1}", 1, 2);
            channel.Warning(MessageSensitivity.None, "Careful");
            channel.Error(MessageSensitivity.None, "Bad");
            channel.Trace(MessageSensitivity.None, "Detail");
        }

        var info = Assert.Single(log, e => e.Kind == ChannelMessageKind.Info);
        Assert.Equal("Epoch 1 of 2", info.RawMessage);
        Assert.Equal("Trainer; Fit", info.Source);
        Assert.Equal("[Source=Trainer; Fit, Kind=Info] Epoch 1 of 2", info.Message);
        Assert.Equal("Careful", Assert.Single(log, e => e.Kind == ChannelMessageKind.Warning).RawMessage);
        Assert.Equal("Bad", Assert.Single(log, e => e.Kind == ChannelMessageKind.Error).RawMessage);
        Assert.Contains(log, e => e.Kind == ChannelMessageKind.Trace && e.RawMessage == "Detail");
        Assert.Equal("Channel started", log[0].RawMessage);
        Assert.StartsWith("Channel finished. Elapsed ", log[^2].RawMessage, StringComparison.Ordinal);
        Assert.Equal("Channel disposed", log[^1].RawMessage);
    }

    [Fact]
    public void HostsDrawTheSameNumbersForTheSameSeed()
    {
        Assert.Equal(Draw(new MLContext(1)), Draw(new MLContext(1)));
        Assert.NotEqual(Draw(new MLContext(1)), Draw(new MLContext(2)));
        Assert.Equal(
            ((IHostEnvironment)new MLContext(1)).Register("A", seed: 5).Rand.Next(),
            ((IHostEnvironment)new MLContext(2)).Register("B", seed: 5).Rand.Next());

        static int[] Draw(MLContext ml)
        {
            var random = ((IHostEnvironment)ml).Register("A").Rand;
            return [.. Enumerable.Range(0, 5).Select(_ => random.Next(1000))];
        }
    }

    [Fact]
    public void RandomNumbersAreThoseOfTheRealOne()
    {
        var random = ((IHostEnvironment)new MLContext(42)).Register("A").Rand;
        Assert.Equal([460262708, 84, 10], [random.Next(), random.Next(1000), random.Next(10, 20)]);
        Assert.Equal(0.34562334860675037, random.NextDouble(), 12);
    }

    [Fact]
    public void DevicesAreTheContextsToChoose()
    {
        var ml = new MLContext();
        Assert.Null(ml.GpuDeviceId);
        Assert.False(ml.FallbackToCpu);
        ml.GpuDeviceId = 1;
        ml.FallbackToCpu = true;
        ml.TempFilePath = "somewhere";
        Assert.Equal(1, ml.GpuDeviceId);
        Assert.True(ml.FallbackToCpu);
        Assert.Equal("somewhere", ml.TempFilePath);
    }

    [Fact]
    public void ProgressRejectsMoreValuesThanItsHeaderNames()
    {
        using var progress = ((IHostEnvironment)new MLContext()).StartProgressChannel("Fit");
        progress.SetHeader(new ProgressHeader(["loss"], ["epochs"]), entry => entry.SetMetric(0, 1));
        progress.Checkpoint(0.5, 1, 10);
        Assert.Throws<InvalidOperationException>(() => progress.Checkpoint(0.5, 1, 10, 11));
        using (var inner = progress.StartProgressChannel("inner"))
            inner.Checkpoint();
        progress.Dispose();
        Assert.Throws<InvalidOperationException>(() => progress.Checkpoint(0.5));
    }

    [Fact]
    public void ContextPassesErrorsThrough()
    {
        var host = ((IHostEnvironment)new MLContext()).Register("Trainer");
        var error = new InvalidOperationException("x");
        Assert.Same(error, host.Process(error));
        Assert.Throws<ArgumentOutOfRangeException>(() => host.Register(null));
    }
}
