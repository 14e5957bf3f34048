using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>Samples a second of a trainer's steps on a device, over those of references.</summary>
/// <param name="id">Row of the table.</param>
/// <param name="trainer">What is trained.</param>
/// <param name="device">Where, and in which precision.</param>
/// <param name="steps">The steps.</param>
/// <param name="runner">Measures.</param>
/// <param name="threads">Of the figures.</param>
internal sealed class TrainerThroughput<TRow>(
    string id, string trainer, TorchDevice device, TrainingSteps<TRow> steps, PairedRunner runner, int threads)
{
    /// <summary>Compares with a reference's steps on as many rows.</summary>
    /// <param name="reference">Its name.</param>
    /// <param name="step">Its step, for <see cref="PairedRunner"/>.</param>
    public Figure Over(string reference, Func<int, double> step)
    {
        var result = runner.Compare(device.Timed(steps.Take), step, inverted: true);
        return new Figure(
            id,
            $"{trainer}, {device.Precision}, {Rate(result.First)} / {reference}, {Rate(result.Second)}",
            threads,
            result.Ratio,
            result.Spread,
            null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
        };
    }

    private string Rate(double seconds) => (steps.Rows / seconds).ToString("F0", CultureInfo.InvariantCulture) + " samples/s";
}
