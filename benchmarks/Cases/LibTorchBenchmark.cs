using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Tensors;
using TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>A training step of the default text model on the CPU: the managed engine against the one on libtorch.</summary>
internal sealed class LibTorchBenchmark : IBenchmark
{
    public string Id => "libtorch";

    public string? MissingReference => LibTorch.Missing;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        torch.set_num_threads(threads);
        using var managed = new TextTraining(new ManagedEngine(threads));
        using var libTorch = new TextTraining(new TorchEngine());
        managed.Steps.CheckEqual(libTorch.Steps);
        var result = runner.Compare(managed.Steps.Take, libTorch.Steps.Take);
        yield return new Figure(
            Id,
            $"training step of the default text model, {managed.Steps.Rows} rows: managed / libtorch",
            threads,
            result.Ratio,
            result.Spread,
            null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };
    }
}
