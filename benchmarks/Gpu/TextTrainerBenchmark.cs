using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// G7: samples a second of the text trainer's steps with default options, over those of the managed engine, and over those of the same
/// model in PyTorch on the same device, which gets its rows ready packed, as tensors; ours packs them in the step.
/// </summary>
internal sealed class TextTrainerBenchmark(string id, TorchDevice device) : IBenchmark
{
    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var ours = new TextTraining(device.CreateEngine());
        var managedEngine = new ManagedEngine();
        using var managed = new TextTraining(managedEngine);
        TextTraining.CheckEqual(ours, managed);
        using var files = ours.Write();
        var step = device.Timed(ours.Step);
        yield return FigureOf(managedEngine.Description, runner.Compare(step, PairedRunner.Timed(managed.Step), inverted: true));
        if (PyTorch.Instance is { } pyTorch)
        {
            var name = files.TrainingOn(device.Name, device.Precision);
            var result = runner.Compare(step, repeats => pyTorch.Run(name, device.Threads, repeats), inverted: true);
            yield return FigureOf(pyTorch.Version, result);
        }

        Figure FigureOf(string reference, PairedResult result) => new(
            id,
            $"text trainer, {device.Precision}, {Rate(result.First)} / {reference}, {Rate(result.Second)}",
            threads,
            result.Ratio,
            result.Spread,
            null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };

        string Rate(double seconds) => (ours.Rows / seconds).ToString("F0", CultureInfo.InvariantCulture) + " samples/s";
    }
}
