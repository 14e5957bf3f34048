using MoeTool.Settings;

namespace Microsoft.ML.Moe.Benchmarks.Tables;

/// <summary>
/// LightGBM with the best of a few settings, by log-loss or squared error on a fifth of the training rows; it then has all of them.
/// </summary>
internal static class TunedTrees
{
    private static readonly Settings[] Tried =
    [
        .. from rate in new[] { 0.03, 0.08 }
           from leaves in new[] { 15, 31, 127 }
           from trees in new[] { 300, 1000 }
           select new Settings(rate, leaves, trees),
    ];

    /// <summary>The best setting's trainer.</summary>
    /// <param name="ml">The context.</param>
    /// <param name="set">The table; its test rows are not read.</param>
    public static IEstimator<ITransformer> Of(MLContext ml, TableSet set)
    {
        var parts = ml.Data.TrainTestSplit(set.Train, testFraction: 0.2, seed: 1);
        return Trainer(ml, set.Task, Tried.MinBy(settings =>
            TableRun.Figures(ml, set.Task, Trainer(ml, set.Task, settings).Fit(parts.TrainSet).Transform(parts.TestSet))[^1].Value)!);
    }

    private static IEstimator<ITransformer> Trainer(MLContext ml, TableTask task, Settings of) => task switch
    {
        TableTask.Regression =>
            ml.Regression.Trainers.LightGbm(numberOfLeaves: of.Leaves, learningRate: of.Rate, numberOfIterations: of.Trees),
        TableTask.Binary =>
            ml.BinaryClassification.Trainers.LightGbm(numberOfLeaves: of.Leaves, learningRate: of.Rate, numberOfIterations: of.Trees),
        _ => ml.MulticlassClassification.Trainers.LightGbm(numberOfLeaves: of.Leaves, learningRate: of.Rate, numberOfIterations: of.Trees),
    };

    private sealed record Settings(double Rate, int Leaves, int Trees);
}
