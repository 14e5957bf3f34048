using System.Diagnostics;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// G6: how often a layer hands its logits to the host, which waits for them, and for what share of the layer's time the host is held.
/// TorchSharp has no count of all waits: what waits and hands nothing to a policy shows in the second figure only.
/// </summary>
internal sealed class HostWaitBenchmark(string id, MoeShape shape, TorchDevice device) : IBenchmark
{
    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var layer = new SwiGluLayer(shape, device);
        var counter = new CountingPolicy(layer.TokenChoice);
        layer.Forward(counter)();
        yield return new Figure(
            id, $"{shape}, forward: copies of logits to the host, as the policy counts", threads, counter.Count, 0, null);

        var forward = layer.Forward(layer.TokenChoice);
        var result = runner.Compare(repeats => HostSeconds(forward, repeats), device.Timed(forward));
        yield return new Figure(
            id, $"{shape}, forward: until the host is free / until the device is done", threads, result.Ratio, result.Spread, null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };
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

    private sealed class CountingPolicy(RoutingPolicy policy) : RoutingPolicy
    {
        public int Count { get; private set; }

        public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training)
        {
            Count++;
            return policy.Route(logitsTE, experts, layout, training);
        }
    }
}
