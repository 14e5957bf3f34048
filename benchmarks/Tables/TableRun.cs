using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;
using MoeTool.Settings;

namespace Microsoft.ML.Moe.Benchmarks.Tables;

/// <summary>What a trainer makes of a table, with its default options: mean and standard deviation over seeds.</summary>
internal static class TableRun
{
    private const int RowsToScore = 100_000;
    private static readonly string[] Deterministic = ["lightgbm", "lightgbm-tuned", "fasttree"];

    /// <summary>Trains and evaluates; a line about it.</summary>
    /// <param name="set">The table.</param>
    /// <param name="learner">Who learns it.</param>
    /// <param name="seeds">Number of trainings, of seeds from 1 on.</param>
    /// <param name="folds">0 evaluates on the test rows; otherwise the training rows are cross-validated in so many parts.</param>
    public static string Of(TableSet set, string learner, int seeds, int folds)
    {
        // trees do not depend on the seed as they are set
        var numbers = Enumerable.Range(1, Deterministic.Contains(learner) ? 1 : seeds);
        var parts = folds == 0 ? [set] : set.Folds(folds);
        var results = numbers.SelectMany(seed => parts.Select(part => Measure(part, learner, seed))).ToList();
        if (results[0] is null)
            return $"{set.Name,-12} {learner,-9} has no trainer of this kind";
        var figures = results[0]!.Select((figure, i) => Figure(figure.Name, [.. results.Select(result => result![i].Value)]));
        return $"{set.Name,-12} {learner,-9} {string.Join("  ", figures)}";
    }

    private static string Figure(string name, double[] values)
    {
        var mean = values.Average();
        var deviation = values.Length == 1 ? 0 : Math.Sqrt(values.Sum(x => (x - mean) * (x - mean)) / (values.Length - 1));
        return string.Create(CultureInfo.InvariantCulture, $"{name} {mean:0.0000}{(values.Length == 1 ? "" : $" ± {deviation:0.0000}")}");
    }

    private static List<(string Name, double Value)>? Measure(TableSet set, string learner, int seed)
    {
        var ml = new MLContext(seed);
        var clock = Stopwatch.StartNew();
        if (TrainerOf(ml, set, learner) is not { } trainer)
            return null;
        var model = trainer.Fit(set.Train);
        var fit = clock.Elapsed.TotalSeconds;
        var scored = model.Transform(set.Test);
        var figures = Figures(ml, set.Task, scored);
        var scoring = SecondsToScore(scored);
        (model as IDisposable)?.Dispose();
        return [.. figures, ("seconds", fit), ("seconds to score 100,000 rows", scoring)];
    }

    /// <summary>Seconds to score 100,000 rows, those of the table again and again, after as many that let .NET compile what it will run.</summary>
    private static double SecondsToScore(IDataView scored)
    {
        Score(scored, RowsToScore);
        var clock = Stopwatch.StartNew();
        var rows = Score(scored, RowsToScore);
        return clock.Elapsed.TotalSeconds * RowsToScore / rows;
    }

    /// <summary>Scores the rows of a table again and again, until there are so many; their number.</summary>
    public static int Score(IDataView scored, int least)
    {
        var column = scored.Schema["Score"];
        var count = 0;
        while (count < least)
            count += column.Type is VectorDataViewType ? Count<VBuffer<float>>(scored, column) : Count<float>(scored, column);
        return count;
    }

    private static int Count<T>(IDataView scored, DataViewSchema.Column column)
    {
        using var cursor = scored.GetRowCursor([column]);
        var (read, value, rows) = (cursor.GetGetter<T>(column), default(T)!, 0);
        for (; cursor.MoveNext(); rows++)
            read(ref value);
        return rows;
    }

    /// <summary>Figures of a scored table, the one that is to be low last.</summary>
    public static List<(string Name, double Value)> Figures(MLContext ml, TableTask task, IDataView scored) => task switch
    {
        TableTask.Regression => [("RMSE", ml.Regression.Evaluate(scored).RootMeanSquaredError)],
        TableTask.Binary when ml.BinaryClassification.Evaluate(scored) is var metrics =>
            [("accuracy", metrics.Accuracy), ("AUC", metrics.AreaUnderRocCurve), ("log-loss", metrics.LogLoss * Math.Log(2))],
        _ when ml.MulticlassClassification.Evaluate(scored) is var metrics =>
            [("accuracy", metrics.MicroAccuracy), ("log-loss", metrics.LogLoss)],
        _ => [],
    };

    private static IEstimator<ITransformer>? TrainerOf(MLContext ml, TableSet set, string learner) => (set.Task, learner) switch
    {
        (_, "lightgbm-tuned") => TunedTrees.Of(ml, set),
        (TableTask.Multiclass, "mixture") => ml.MulticlassClassification.Trainers.MoeClassifier(),
        (TableTask.Multiclass, "dense") =>
            ml.MulticlassClassification.Trainers.MoeClassifier(new MoeFeatureClassificationTrainer.Options { MoeEvery = 0 }),
        (TableTask.Multiclass, "lightgbm") => ml.MulticlassClassification.Trainers.LightGbm(),
        (TableTask.Multiclass, "sdca") => Prepared(ml, ml.MulticlassClassification.Trainers.SdcaMaximumEntropy()),
        (TableTask.Binary, "mixture") => ml.BinaryClassification.Trainers.MoeBinaryClassifier(),
        (TableTask.Binary, "dense") =>
            ml.BinaryClassification.Trainers.MoeBinaryClassifier(new MoeBinaryClassificationTrainer.Options { MoeEvery = 0 }),
        (TableTask.Binary, "lightgbm") => ml.BinaryClassification.Trainers.LightGbm(),
        (TableTask.Binary, "fasttree") => ml.BinaryClassification.Trainers.FastTree(),
        (TableTask.Binary, "sdca") => Prepared(ml, ml.BinaryClassification.Trainers.SdcaLogisticRegression()),
        (TableTask.Regression, "mixture") => ml.Regression.Trainers.MoeRegressor(),
        (TableTask.Regression, "dense") => ml.Regression.Trainers.MoeRegressor(new MoeRegressionTrainer.Options { MoeEvery = 0 }),
        (TableTask.Regression, "lightgbm") => ml.Regression.Trainers.LightGbm(),
        (TableTask.Regression, "fasttree") => ml.Regression.Trainers.FastTree(),
        (TableTask.Regression, "sdca") => Prepared(ml, ml.Regression.Trainers.Sdca()),
        _ => null,
    };

    // linear models need numbers of one scale, none of them missing
    private static EstimatorChain<T> Prepared<T>(MLContext ml, IEstimator<T> trainer)
        where T : class, ITransformer =>
        ml.Transforms.ReplaceMissingValues("Features").Append(ml.Transforms.NormalizeMinMax("Features")).Append(trainer);
}
