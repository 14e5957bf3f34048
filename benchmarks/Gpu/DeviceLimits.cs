using System.Diagnostics;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>What a device was measured to do at most.</summary>
/// <param name="FlopsPerSecond">Of a large matrix product in single precision; a multiply–add is two.</param>
/// <param name="BFloat16FlopsPerSecond">Of the same product in bfloat16.</param>
/// <param name="BytesPerSecond">Read and written by a copy within the device's memory, far larger than its caches.</param>
internal sealed record DeviceLimits(double FlopsPerSecond, double BFloat16FlopsPerSecond, double BytesPerSecond)
{
    private const int Tries = 7;
    private const int MatrixSize = 8192;
    private const int MatrixSizeOfTrial = 1024;
    private const int CopyFloats = 1 << 28;
    private const int CopyFloatsOfTrial = 1 << 25;

    /// <summary>Least possible time over the measured one.</summary>
    public double Share(Work work, double seconds) => Math.Max(ShareOfProducts(work, seconds), work.Bytes / BytesPerSecond / seconds);

    /// <summary>Rate of the work's operations over that of the large product in the same precision.</summary>
    public double ShareOfProducts(Work work, double seconds) =>
        work.Flops / (work.InBFloat16 ? BFloat16FlopsPerSecond : FlopsPerSecond) / seconds;

    /// <summary>Measures the limits; the best of several tries, since a limit is what is possible.</summary>
    public static DeviceLimits Measure(TorchDevice device)
    {
        using var scope = torch.NewDisposeScope();
        var size = device.IsTrial ? MatrixSizeOfTrial : MatrixSize;
        using var source = torch.zeros([device.IsTrial ? CopyFloatsOfTrial : CopyFloats], device: device.Device);
        using var target = torch.empty_like(source);
        var copy = Best(device, () => target.copy_(source));
        return new DeviceLimits(
            ProductFlops(torch.ScalarType.Float32),
            ProductFlops(torch.ScalarType.BFloat16),
            2.0 * sizeof(float) * source.NumberOfElements / copy);

        double ProductFlops(torch.ScalarType type)
        {
            using var left = Matrix(device, size, type, seed: 1);
            using var right = Matrix(device, size, type, seed: 2);
            return 2.0 * size * size * size / Best(device, () => left.mm(right).Dispose());
        }
    }

    // Random values: a product of zeros takes less power, and a GPU is then faster than it ever is at work.
    private static torch.Tensor Matrix(TorchDevice device, int size, torch.ScalarType type, int seed)
    {
        using var values = torch.tensor(Values.Random(size * size, 1f, seed), [size, size], device: device.Device);
        return values.to_type(type, copy: true);
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
