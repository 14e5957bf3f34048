using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>G1, G2, G3: a layer's forward pass, router included, against a dense network of equal active FLOPs and PyTorch.</summary>
internal sealed class LayerBenchmark(string id, MoeShape shape, TorchDevice device, ExpertReferences references) : IBenchmark
{
    public string Id => id;

    /// <summary>The device's limits and the share of its matrix peak that the layer must reach; null where there is no such goal.</summary>
    public (DeviceLimits Limits, double Share)? PeakGoal { get; init; }

    /// <summary>How often as fast as PyTorch's loop over experts the layer must be; null where there is no such goal.</summary>
    public double? GoalOverLoop { get; init; }

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var layer = new SwiGluLayer(shape, device);
        var forward = device.Timed(layer.Forward(layer.TokenChoice));
        var work = layer.WorkOf(layer.TokenChoice);
        var title = $"SwiGLU {shape}, {device.Precision}, forward";
        var (result, denseWork) = CompareWithDense(runner, forward);
        if (PeakGoal is var (limits, leastShare))
        {
            var share = limits.ShareOfProducts(work, result.First);
            yield return new Figure(
                id,
                $"{title} / large product, FLOP/s",
                threads,
                share,
                share * result.FirstSpread / result.First,
                new Bound(leastShare, IsLower: true))
            {
                Seconds = result.First,
                Work = work,
            };
        }

        yield return new Figure(id, $"{title} / dense of equal active FLOPs", threads, result.Ratio, result.Spread, null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = work,
            ReferenceWork = denseWork,
        };
        Bound? loopBound = GoalOverLoop is { } times ? new Bound(1 / times) : null;
        foreach (var figure in references.Compare(runner, id, "forward", shape, forward, work, loopBound))
            yield return figure;
    }

    private (PairedResult Result, Work Work) CompareWithDense(PairedRunner runner, Func<int, double> forward)
    {
        using var dense = new DenseSwiGlu(shape, device);
        return (runner.Compare(forward, device.Timed(dense.Forward)), dense.Work);
    }
}
