using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>G7: samples a second of the text trainer's steps with default options, over those of the managed engine.</summary>
internal sealed class TrainerBenchmark(string id, TorchDevice device) : IBenchmark
{
    public string Id => id;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var ours = new TextTraining(device.CreateEngine());
        var managedEngine = new ManagedEngine();
        using var managed = new TextTraining(managedEngine);
        TextTraining.CheckEqual(ours, managed);
        var result = runner.Compare(device.Timed(ours.Step), PairedRunner.Timed(managed.Step), inverted: true);
        yield return new Figure(
            id,
            $"text trainer, {Rate(result.First)} / {managedEngine.Description}, {Rate(result.Second)}",
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
