using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// G5: the most memory that a layer's training step takes, over what AdamW cannot do without: weights, gradients and two moments. To
/// be measured before all else, since this process, too, keeps what it has taken of a device's memory.
/// </summary>
internal sealed class PeakMemoryBenchmark(string id, MoeShape shape, TorchDevice device, ExpertReferences references) : IBenchmark
{
    private const double Copies = 4;

    public string Id => id;

    public string? MissingReference => device.PeakBytes() is null ? "nvidia-smi does not tell the memory in use." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        var (bytes, weights) = PeakMemoryCommand.Ask(shape, device);
        yield return FigureOf("weights, gradients, moments", Copies * sizeof(float) * weights);
        foreach (var (name, reference) in references.PeakBytes(shape))
            yield return FigureOf($"{ExpertReferences.Version}, {name}", reference);

        Figure FigureOf(string name, double reference) => new(
            id,
            $"{shape}, {device.Precision}, training, peak of {device.Memory} {GiB(bytes)} / {name} {GiB(reference)}",
            threads,
            bytes / reference,
            0,
            null);
    }

    private static string GiB(double bytes) => (bytes / (1 << 30)).ToString("F2", CultureInfo.InvariantCulture) + " GiB";
}
