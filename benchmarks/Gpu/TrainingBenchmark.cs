using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>G4: a layer's training step against its forward pass and against PyTorch.</summary>
internal sealed class TrainingBenchmark(string id, MoeShape shape, TorchDevice device, ExpertReferences references) : IBenchmark
{
    // The gradients of a product's two factors cost a product each.
    private const double FlopsOverForward = 3;

    // Weights are read forward and backward, gradients are written; AdamW reads weights, gradients and two moments, and writes all
    // but the gradients.
    private const double PassesOverWeights = 10;

    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var layer = new SwiGluLayer(shape, device);
        using var optimizer = layer.CreateOptimizer();
        var step = device.Timed(() => layer.Step(optimizer));
        var forwardWork = layer.WorkOf(layer.TokenChoice);
        var work = forwardWork with
        {
            Flops = FlopsOverForward * forwardWork.Flops, Bytes = PassesOverWeights * sizeof(float) * layer.Weights,
        };
        var result = runner.Compare(step, device.Timed(layer.Forward(layer.TokenChoice)));
        yield return new Figure(id, $"SwiGLU {shape}, {device.Precision}, training / forward", threads, result.Ratio, result.Spread, null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = work,
            ReferenceWork = forwardWork,
        };
        foreach (var figure in references.Compare(runner, id, "training", shape, step, work))
            yield return figure;
    }
}
