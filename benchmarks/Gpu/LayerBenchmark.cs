using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>G1, G2, G3: a layer's forward pass, router included, against a dense network of equal active FLOPs and PyTorch.</summary>
internal sealed class LayerBenchmark(string id, MoeShape shape, TorchDevice device, ExpertReferences references) : IBenchmark
{
    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var layer = new SwiGluLayer(shape, device);
        var forward = device.Timed(layer.Forward(layer.TokenChoice));
        var work = layer.WorkOf(layer.TokenChoice);
        var result = runner.Compare(forward, device.Timed(layer.Dense()));
        yield return new Figure(
            id, $"SwiGLU {shape}, forward / dense of equal active FLOPs", threads, result.Ratio, result.Spread, null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = work,
            ReferenceWork = layer.DenseWork,
        };
        foreach (var figure in references.Compare(runner, id, "forward", shape, forward, work))
            yield return figure;
    }
}
