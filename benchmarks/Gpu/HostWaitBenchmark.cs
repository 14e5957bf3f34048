using System.Diagnostics;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// G6: how often a layer copies something from the device to the host, which waits for it, and for what share of the layer's time the
/// host is held. libtorch has no count of all waits: one of an operation that hands nothing over shows in the second figure only.
/// </summary>
internal sealed class HostWaitBenchmark(string id, MoeShape shape, TorchDevice device) : IBenchmark
{
    private static readonly Bound MostCopies = new(1);

    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var layer = new SwiGluLayer(shape, device);
        var forward = layer.Forward(layer.TokenChoice);
        yield return new Figure(id, $"{shape}, forward: copies to the host", threads, CopiesToHost(forward), 0, MostCopies);
        var result = runner.Compare(repeats => HostSeconds(forward, repeats), device.Timed(forward));
        yield return new Figure(
            id, $"{shape}, forward: until the host is free / until the device is done", threads, result.Ratio, result.Spread, null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };

        // Last: it takes the most memory.
        using var optimizer = layer.CreateOptimizer();
        var copies = CopiesToHost(() => layer.Step(optimizer));
        yield return new Figure(id, $"{shape}, training step: copies to the host", threads, copies, 0, MostCopies);
    }

    private static long CopiesToHost(Action action)
    {
        // What an engine tries out once does not count.
        action();
        var before = DeviceMemory.CopiesToHost;
        action();
        return DeviceMemory.CopiesToHost - before;
    }

    private double HostSeconds(Action action, int repeats)
    {
        var seconds = 0.0;
        for (var i = 0; i < repeats; i++)
        {
            device.Synchronize();
            var watch = Stopwatch.StartNew();
            action();
            seconds += watch.Elapsed.TotalSeconds;
        }

        device.Synchronize();
        return seconds / repeats;
    }
}
