using System.Diagnostics;

namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>What the machine can do at most, by number of threads.</summary>
internal sealed class MachineLimits
{
    private const int Tries = 7;
    private const int CopyBytes = 128 << 20;
    private const long PeakIterations = 4_000_000;
    private readonly Dictionary<int, double> _flops = [];
    private readonly Dictionary<int, double> _copyBytes = [];

    /// <summary>Multiply–adds and additions a second that registers alone allow.</summary>
    public double FlopsPerSecond(int threads) => _flops[threads];

    /// <summary>Bytes a second, read and written, of a copy far larger than the caches.</summary>
    public double BytesPerSecond(int threads) => _copyBytes[threads];

    /// <summary>Least possible time over the measured one.</summary>
    public double Share(Work work, double seconds, int threads) =>
        Math.Max(work.Flops / _flops[threads], work.Bytes / _copyBytes[threads]) / seconds;

    /// <summary>Measures both limits; the best of several tries, since a limit is what is possible.</summary>
    public static MachineLimits Measure(IEnumerable<int> threadCounts)
    {
        var limits = new MachineLimits();
        foreach (var threads in threadCounts)
        {
            limits._flops[threads] = Best(threads, _ =>
            {
                PeakLoop.Run(PeakIterations, out var flops);
                return flops;
            });
            var sources = Enumerable.Range(0, threads).Select(_ => new byte[CopyBytes]).ToArray();
            var targets = Enumerable.Range(0, threads).Select(_ => new byte[CopyBytes]).ToArray();
            limits._copyBytes[threads] = Best(threads, thread =>
            {
                sources[thread].AsSpan().CopyTo(targets[thread]);
                return 2.0 * CopyBytes;
            });
        }

        GC.Collect();
        return limits;
    }

    private static double Best(int threads, Func<int, double> work)
    {
        var best = 0.0;
        for (var attempt = 0; attempt < Tries; attempt++)
            best = Math.Max(best, Rate(threads, work));
        return best;
    }

    private static double Rate(int threads, Func<int, double> work)
    {
        var amounts = new double[threads];
        using var start = new Barrier(threads + 1);
        var workers = Enumerable.Range(0, threads).Select(thread => new Thread(() =>
        {
            start.SignalAndWait();
            amounts[thread] = work(thread);
        })).ToArray();
        foreach (var worker in workers)
            worker.Start();
        start.SignalAndWait();
        var watch = Stopwatch.StartNew();
        foreach (var worker in workers)
            worker.Join();
        return amounts.Sum() / watch.Elapsed.TotalSeconds;
    }
}
