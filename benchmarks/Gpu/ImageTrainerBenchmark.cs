using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>G7: samples a second of the image trainer's steps with default options, over those of the managed engine.</summary>
internal sealed class ImageTrainerBenchmark(string id, TorchDevice device) : IBenchmark
{
    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var ours = ImageTraining.CreateSteps(device.CreateEngine());
        var managedEngine = new ManagedEngine();
        using var managed = ImageTraining.CreateSteps(managedEngine);
        ours.CheckEqual(managed);
        var trainer = $"image trainer, {ImageTraining.Description}";
        yield return new TrainerThroughput<ImagePixels>(id, trainer, device, ours, runner, threads)
            .Over(managedEngine.Description, PairedRunner.Timed(managed.Take));
    }
}
