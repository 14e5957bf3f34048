using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// G5: the most memory that a layer's training step takes, over what AdamW cannot do without: weights, gradients and two moments. A peak
/// never falls, so that each side and precision needs a process that has measured nothing else.
/// </summary>
internal sealed class PeakMemoryBenchmark(string id, MoeShape shape, TorchDevice device, ExpertReferences references) : IBenchmark
{
    private const double Copies = 4;
    private const int Steps = 2;

    public string Id => id;

    public string? MissingReference =>
        device.UsedBytes(Environment.ProcessId) is null ? "nvidia-smi does not tell the memory in use." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        // PyTorch first: its process has ended, and given the device's memory back, before ours takes any.
        var ofReferences = references.PeakBytes(TinyShape, shape, Steps).ToArray();
        RunSteps(TinyShape);
        var before = device.UsedBytes(Environment.ProcessId)!.Value;
        var weights = RunSteps(shape);
        var bytes = device.PeakBytes(Environment.ProcessId)!.Value - before;
        yield return FigureOf("weights, gradients, moments", Copies * sizeof(float) * weights);
        foreach (var (name, reference) in ofReferences)
            yield return FigureOf($"{ExpertReferences.Version}, {name}", reference);

        Figure FigureOf(string name, double reference) => new(
            id,
            $"{shape}, {device.Precision}, training, peak of {device.Memory} {GiB(bytes)} / {name} {GiB(reference)}",
            threads,
            bytes / reference,
            0,
            null);
    }

    // Makes the device ready, which takes memory of its own.
    private MoeShape TinyShape => shape with { Tokens = 32, Width = 16, HiddenWidth = 16 };

    private long RunSteps(MoeShape sizes)
    {
        using var layer = new SwiGluLayer(sizes, device);
        using var optimizer = layer.CreateOptimizer();
        // The arrays that the weights came from are no part of a training step.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        for (var i = 0; i < Steps; i++)
            layer.Step(optimizer);
        return layer.Weights;
    }

    private static string GiB(double bytes) => (bytes / (1 << 30)).ToString("F2", CultureInfo.InvariantCulture) + " GiB";
}
