using System.Diagnostics;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>Trains and predicts for long, and measures what is not given back.</summary>
internal static class Soak
{
    /// <summary>Trains, with a context each.</summary>
    /// <param name="fits">How often; the first fifth is not counted, as caches fill.</param>
    public static Growth Fit(int fits) => Measure(fits, fit =>
    {
        var ml = new MLContext(seed: fit);
        using var model = Models.Fit(ml);
    });

    /// <summary>Predicts rows that are all new.</summary>
    /// <param name="predictions">How often; the first fifth is not counted, as caches fill.</param>
    public static Growth Predict(int predictions)
    {
        var ml = new MLContext(seed: 1);
        using var engine = ml.Model.CreatePredictionEngine<Row, Prediction>(Models.Fit(ml));
        var random = new Random(1);
        return Measure(predictions, i => engine.Predict(new Row { Text = Tables.Sentence(random, i % 3) }));
    }

    private static Growth Measure(int times, Action<int> run)
    {
        var counted = times / 5;
        for (var i = 0; i < counted; i++)
            run(i);
        var (managed, process) = Now();
        for (var i = counted; i < times; i++)
            run(i);
        var (managedNow, processNow) = Now();
        return new Growth(managed, managedNow, process, processNow);
    }

    private static (long Managed, long Process) Now()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        using var process = Process.GetCurrentProcess();
        return (GC.GetTotalMemory(forceFullCollection: true), process.WorkingSet64);
    }
}

/// <summary>Memory before and after, in bytes.</summary>
/// <param name="Managed">Objects that are alive, before.</param>
/// <param name="ManagedAfter">The same, after.</param>
/// <param name="Process">What the process takes, before.</param>
/// <param name="ProcessAfter">The same, after.</param>
internal sealed record Growth(long Managed, long ManagedAfter, long Process, long ProcessAfter)
{
    public override string ToString() => $"objects {Text(Managed, ManagedAfter)}, process {Text(Process, ProcessAfter)}";

    private static string Text(double before, double after) => FormattableString.Invariant(
        $"{before / (1 << 20):0.00} → {after / (1 << 20):0.00} MiB ({100 * (after - before) / before:+0.0;-0.0;0.0} %)");
}
