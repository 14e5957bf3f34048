using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// C6: a training step of the default text model against the same model in PyTorch, which starts from the same weights and gets its
/// rows ready packed, as tensors; ours packs them in the step.
/// </summary>
internal sealed class TextTrainingBenchmark : IBenchmark
{
    public string Id => "C6";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var training = new TextTraining(new ManagedEngine(threads));
        using var files = training.Write();
        var result = runner.Compare(
            PairedRunner.Timed(training.Steps.Take), repeats => PyTorch.Instance!.Run(files.TrainingOn(), threads, repeats));
        yield return new Figure(
            Id,
            $"training step of the default text model, {training.Steps.Rows} rows / {PyTorch.Instance!.Version}",
            threads,
            result.Ratio,
            result.Spread,
            new Bound(0.7))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };
    }
}
