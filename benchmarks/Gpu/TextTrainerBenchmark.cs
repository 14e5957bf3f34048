using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Inputs;
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
        ours.Steps.CheckEqual(managed.Steps);
        using var files = ours.Write();
        var throughput = new TrainerThroughput<EncodedText>(id, "text trainer", device, ours.Steps, runner, threads);
        yield return throughput.Over(managedEngine.Description, PairedRunner.Timed(managed.Steps.Take));
        if (PyTorch.Instance is { } pyTorch)
        {
            var name = files.TrainingOn(device.Name, device.Precision);
            yield return throughput.Over(pyTorch.Version, repeats => pyTorch.Run(name, device.Threads, repeats));
        }
    }
}
