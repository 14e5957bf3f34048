using System.Diagnostics;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>What a device was measured to do at most.</summary>
/// <param name="FlopsPerSecond">Of a large matrix product in single precision; a multiply–add is two.</param>
/// <param name="BytesPerSecond">Read and written by a copy within the device's memory, far larger than its caches.</param>
internal sealed record DeviceLimits(double FlopsPerSecond, double BytesPerSecond)
{
    private const int Tries = 7;
    private const int MatrixSize = 8192;
    private const int MatrixSizeOfTrial = 1024;
    private const int CopyFloats = 1 << 28;
    private const int CopyFloatsOfTrial = 1 << 25;

    /// <summary>Least possible time over the measured one.</summary>
    public double Share(Work work, double seconds) => Math.Max(work.Flops / FlopsPerSecond, work.Bytes / BytesPerSecond) / seconds;

    /// <summary>Measures both limits; the best of several tries, since a limit is what is possible.</summary>
    public static DeviceLimits Measure(TorchDevice device)
    {
        using var scope = torch.NewDisposeScope();
        long size = device.IsTrial ? MatrixSizeOfTrial : MatrixSize;
        // Random values: a product of zeros takes less power, and a GPU is then faster than it ever is at work.
        using var left = torch.tensor(Values.Random((int)(size * size), 1f), [size, size], device: device.Device);
        using var right = torch.tensor(Values.Random((int)(size * size), 1f, seed: 2), [size, size], device: device.Device);
        var product = Best(device, () => left.mm(right).Dispose());
        using var source = torch.zeros([device.IsTrial ? CopyFloatsOfTrial : CopyFloats], device: device.Device);
        using var target = torch.empty_like(source);
        var copy = Best(device, () => target.copy_(source));
        return new DeviceLimits(2.0 * size * size * size / product, 2.0 * sizeof(float) * source.NumberOfElements / copy);
    }

    private static double Best(TorchDevice device, Action work)
    {
        var best = double.PositiveInfinity;
        for (var attempt = 0; attempt < Tries; attempt++)
        {
            device.Synchronize();
            var watch = Stopwatch.StartNew();
            work();
            device.Synchronize();
            best = Math.Min(best, watch.Elapsed.TotalSeconds);
        }

        return best;
    }
}
