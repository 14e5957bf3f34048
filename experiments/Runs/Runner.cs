using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Experiments.Runs;

/// <summary>Makes runs and logs their results.</summary>
/// <param name="log">Receives the results.</param>
/// <param name="parallel">Runs at the same time.</param>
/// <param name="threads">Worker threads of all runs together.</param>
internal sealed class Runner(RunLog log, int parallel, int threads)
{
    private const int ValuesShown = 3;

    /// <summary>Makes runs in their order. A run that is stopped half-way leaves no trace.</summary>
    public void Execute(IReadOnlyCollection<Run> runs, CancellationToken stop)
    {
        var started = Stopwatch.StartNew();
        var finished = 0;
        var options = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = stop };
        // not buffered: the runs are taken in their order, one at a time
        Parallel.ForEach(Partitioner.Create(runs, EnumerablePartitionerOptions.NoBuffering), options, run =>
        {
            var watch = Stopwatch.StartNew();
            using var engine = new ManagedEngine(Math.Max(1, threads / parallel));
            var values = run.Execute(engine, stop);
            stop.ThrowIfCancellationRequested();
            var result = new RunResult(run.Key, values, watch.Elapsed.TotalSeconds);
            log.Add(result);
            Tell(result, Interlocked.Increment(ref finished), runs.Count, started.Elapsed);
        });
    }

    private static void Tell(RunResult result, int finished, int all, TimeSpan elapsed)
    {
        var left = elapsed / finished * (all - finished);
        var values = string.Join(", ", result.Values.Take(ValuesShown).Select(
            v => string.Create(CultureInfo.InvariantCulture, $"{v.Key} {v.Value:G5}")));
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{finished}/{all}, {left:h\\:mm\\:ss} left: {result.Key.Data}, {result.Key.Arm}, seed {result.Key.Seed}: {values} "
            + $"({result.Seconds:F1} s)"));
    }
}
