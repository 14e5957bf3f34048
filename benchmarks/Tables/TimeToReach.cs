using System.Diagnostics;
using System.Globalization;
using MoeTool.Settings;

namespace Microsoft.ML.Moe.Benchmarks.Tables;

/// <summary>Row T1: how long the mixture, with default options, takes to be as good as LightGBM, in LightGBM's fits.</summary>
internal static class TimeToReach
{
    /// <summary>Measures; a line about it. Only tables of yes or no: the loss that an epoch reports is the log-loss that is evaluated.</summary>
    public static string Of(TableSet set)
    {
        if (set.Task != TableTask.Binary)
            return $"{set.Name,-12} is no table of yes or no";
        var ml = new MLContext(1);
        var lightGbm = ml.BinaryClassification.Trainers.LightGbm();
        lightGbm.Fit(set.Train); // .NET compiles, the library loads
        var clock = Stopwatch.StartNew();
        var trees = lightGbm.Fit(set.Train);
        var fit = clock.Elapsed.TotalSeconds;
        var wanted = TableRun.Figures(ml, set.Task, trees.Transform(set.Test))[^1].Value;

        var (reached, least, epoch) = (double.NaN, double.PositiveInfinity, 0);
        using var stop = new CancellationTokenSource();
        clock.Restart();
        // the test rows take the place of validation rows, so that every epoch tells its loss on them
        using var model = ml.BinaryClassification.Trainers.MoeBinaryClassifier(new MoeBinaryClassificationTrainer.Options
        {
            ValidationSet = set.Test,
            StopToken = stop.Token,
            EpochCompleted = report =>
            {
                least = Math.Min(least, report.ValidationLoss ?? double.PositiveInfinity);
                if (double.IsNaN(reached) && least <= wanted)
                {
                    (reached, epoch) = (clock.Elapsed.TotalSeconds, report.Epoch);
                    stop.Cancel();
                }
            },
        }).Fit(set.Train);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{set.Name,-12} LightGBM {wanted:0.0000} in {fit:0.0} s; ours {least:0.0000} in epoch {epoch} after {reached:0.0} s: T1 {reached / fit:0.0}");
    }
}
