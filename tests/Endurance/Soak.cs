using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>
/// Trains and predicts for long, and measures what is not given back. In a process of its own, whose methods are compiled once: .NET compiles those
/// that run often anew, for some thousand trainings, and that code takes memory too.
/// </summary>
internal static class Soak
{
    public const string Name = "soak";
    private const string Trainings = "trainings";
    private const string Predictions = "predictions";

    /// <summary>Trains, with a context each, in a process of its own.</summary>
    /// <param name="fits">How often; the first fifth is not counted, as caches fill.</param>
    public static Growth Fit(int fits) => Start(Trainings, fits);

    /// <summary>Predicts rows that are all new, in a process of its own.</summary>
    /// <param name="predictions">How often; the first fifth is not counted, as caches fill.</param>
    public static Growth Predict(int predictions) => Start(Predictions, predictions);

    /// <summary>What the process of its own does.</summary>
    public static int Run(string what, int times)
    {
        var growth = what switch
        {
            Trainings => Measure(times, fit =>
            {
                var ml = new MLContext(seed: fit);
                using var model = Models.Fit(ml);
            }),
            Predictions => MeasurePredictions(times),
            _ => throw new ArgumentException($"There is no such soak: {what}.", nameof(what)),
        };
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{growth.Managed} {growth.ManagedAfter} {growth.Process} {growth.ProcessAfter}"));
        return 0;
    }

    private static Growth Start(string what, int times)
    {
        var once = new Dictionary<string, string> { ["DOTNET_TieredCompilation"] = "0" };
        using var child = new Child(once, [], [Name, what, times.ToString(CultureInfo.InvariantCulture)]);
        var line = child.Read() ?? throw new InvalidOperationException("The process ended too early.");
        long[] bytes = [.. line.Split(' ').Select(number => long.Parse(number, CultureInfo.InvariantCulture))];
        return new Growth(bytes[0], bytes[1], bytes[2], bytes[3]);
    }

    private static Growth MeasurePredictions(int times)
    {
        var ml = new MLContext(seed: 1);
        using var engine = ml.Model.CreatePredictionEngine<Row, Prediction>(Models.Fit(ml));
        var random = new Random(1);
        return Measure(times, i => engine.Predict(new Row { Text = Tables.Sentence(random, i % 3) }));
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
