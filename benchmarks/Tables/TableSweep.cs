using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using MoeTool.Settings;

namespace Microsoft.ML.Moe.Benchmarks.Tables;

/// <summary>A sweep of some minutes over a table, whose winner is compared with the defaults on the test rows, row by row.</summary>
internal static class TableSweep
{
    private const int Seed = 1;

    /// <summary>Sweeps, and writes what came of it.</summary>
    /// <param name="set">The table.</param>
    /// <param name="budget">Time for all trials together.</param>
    public static void Run(TableSet set, TimeSpan budget)
    {
        var defaults = Fit(set, new SweepOptions { Seed = Seed, MaxTrials = 1 });
        Tell($"{set.Name}: the defaults in {defaults.Seconds:0.0} s, {defaults.Figures}");
        var swept = Fit(set, new SweepOptions { Seed = Seed, TimeBudget = budget });
        foreach (var line in TrialLines.Of(swept.Result))
            Console.WriteLine(line);
        Tell($"{set.Name}: {swept.Result.Trials.Count} trials in {swept.Seconds:0.0} s, {swept.Seconds / budget.TotalSeconds:0.000} of the budget");
        var (mean, error) = RowByRow.Difference(swept.Losses, defaults.Losses);
        Tell($"{set.Name}: the winner, {swept.Figures}; {Loss(set.Task)} row by row {mean:+0.0000;-0.0000} ± {error:0.0000}");
    }

    private static Outcome Fit(TableSet set, SweepOptions options)
    {
        var ml = new MLContext(Seed);
        return set.Task switch
        {
            TableTask.Binary => Fit(ml, set, ml.BinaryClassification.Trainers.Sweep(
                SearchSpaces.BinaryTables, (inner, o) => inner.BinaryClassification.Trainers.MoeBinaryClassifier(o), options)),
            TableTask.Regression => Fit(ml, set, ml.Regression.Trainers.Sweep(
                SearchSpaces.RegressionTables, (inner, o) => inner.Regression.Trainers.MoeRegressor(o), options)),
            _ => Fit(ml, set, ml.MulticlassClassification.Trainers.Sweep(
                SearchSpaces.Tables, (inner, o) => inner.MulticlassClassification.Trainers.MoeClassifier(o), options)),
        };
    }

    private static Outcome Fit<T>(MLContext ml, TableSet set, SweepEstimator<T> sweep)
        where T : class, new()
    {
        var watch = Stopwatch.StartNew();
        var model = sweep.Fit(set.Train);
        var seconds = watch.Elapsed.TotalSeconds;
        using var disposal = model as IDisposable;
        var scored = model.Transform(set.Test);
        var figures = TableRun.Figures(ml, set.Task, scored).Select(f => string.Create(CultureInfo.InvariantCulture, $"test {f.Name} {f.Value:0.0000}"));
        return new Outcome(LossesOf(set.Task, scored), string.Join(", ", figures), seconds, sweep.Result!);
    }

    private static string Loss(TableTask task) => task == TableTask.Regression ? "squared error" : "log-loss";

    private static double[] LossesOf(TableTask task, IDataView scored) => task switch
    {
        TableTask.Regression =>
        [
            .. scored.GetColumn<float>("Score").Zip(scored.GetColumn<float>("Label"), (said, label) => Math.Pow((double)said - label, 2)),
        ],
        TableTask.Binary =>
        [
            .. scored.GetColumn<float>("Probability").Zip(scored.GetColumn<bool>("Label"), (p, isTrue) => LossOf(isTrue ? p : 1.0 - p)),
        ],
        _ =>
        [
            .. scored.GetColumn<float[]>("Score").Zip(scored.GetColumn<uint>("Label"), (row, label) => LossOf(label == 0 ? 0 : row[label - 1])),
        ],
    };

    private static double LossOf(double probability) => -Math.Log(Math.Max(probability, 1e-15));

    private static void Tell(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private sealed record Outcome(double[] Losses, string Figures, double Seconds, SweepResult Result);
}
