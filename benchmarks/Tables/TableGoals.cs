using System.Diagnostics;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Trainers.LightGbm;

namespace Microsoft.ML.Moe.Benchmarks.Tables;

/// <summary>
/// T1: how long the mixture, with default options, takes to be as good as LightGBM with its own, in LightGBM's fits. T2: scoring 100,000 rows, over LightGBM's
/// scoring of them.
/// </summary>
internal static class TableGoals
{
    private const int RowsToScore = 100_000;

    /// <summary>Measures.</summary>
    /// <param name="set">A table of yes or no: the loss that an epoch reports is the log-loss that is evaluated.</param>
    /// <param name="runner">Rounds.</param>
    /// <param name="threads">Threads of both sides.</param>
    public static IEnumerable<Figure> Measure(TableSet set, PairedRunner runner, int threads)
    {
        var ml = new MLContext(1);
        var lightGbm = ml.BinaryClassification.Trainers.LightGbm(new LightGbmBinaryTrainer.Options { NumberOfThreads = threads });
        var trees = lightGbm.Fit(set.Train);
        var wanted = TableRun.Figures(ml, set.Task, trees.Transform(set.Test))[^1].Value;
        var epoch = 0;
        var fits = runner.Compare(repeats => Repeat(repeats, TimeToReach), PairedRunner.Timed(() => lightGbm.Fit(set.Train)));
        yield return Row("T1", $"{set.Name}: epoch {epoch}, where log-loss is LightGBM's {wanted:F4} / LightGBM's fit", fits, new Bound(20));

        using var model = Trainer(ml, threads).Fit(set.Train);
        var (ours, theirs) = (model.Transform(set.Test), trees.Transform(set.Test));
        var scoring = runner.Compare(() => Score(ours), () => Score(theirs));
        yield return Row("T2", $"{set.Name}: {RowsToScore:N0} rows scored / LightGBM", scoring, new Bound(3));

        double TimeToReach()
        {
            using var stop = new CancellationTokenSource();
            var (reached, clock) = (double.NaN, Stopwatch.StartNew());
            // the test rows take the place of validation rows, so that every epoch tells its loss on them
            using var trained = Trainer(ml, threads, options =>
            {
                options.ValidationSet = set.Test;
                options.StopToken = stop.Token;
                options.EpochCompleted = report =>
                {
                    if (!double.IsNaN(reached) || !(report.ValidationLoss <= wanted))
                        return;
                    (reached, epoch) = (clock.Elapsed.TotalSeconds, report.Epoch);
                    stop.Cancel();
                };
            }).Fit(set.Train);
            return reached;
        }

        Figure Row(string id, string title, PairedResult result, Bound bound) =>
            new(id, title, threads, result.Ratio, result.Spread, bound) { Seconds = result.First, ReferenceSeconds = result.Second };
    }

    private static MoeBinaryClassificationTrainer Trainer(
        MLContext ml, int threads, Action<MoeBinaryClassificationTrainer.Options>? change = null)
    {
        var options = new MoeBinaryClassificationTrainer.Options { Threads = threads };
        change?.Invoke(options);
        return ml.BinaryClassification.Trainers.MoeBinaryClassifier(options);
    }

    private static double Repeat(int repeats, Func<double> run) => Enumerable.Range(0, repeats).Sum(_ => run()) / repeats;

    private static void Score(IDataView scored) => TableRun.Score(scored, RowsToScore);
}
