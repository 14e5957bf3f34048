using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Tests.Features;

namespace Microsoft.ML.Moe.Tests.Sweeps;

/// <summary>Sweeps of tiny models over a made-up table.</summary>
internal static class TinySweeps
{
    /// <summary>A space of three options, all else small.</summary>
    public static SearchSpace<T> Space<T>()
        where T : MoeFeatureOptions, new() => SearchSpaces.Empty<T>()
        .Fix(o => o.Width, 16).Fix(o => o.ExpertWidth, 16).Fix(o => o.Members, 2).Fix(o => o.MaxEpochs, 9).Fix(o => o.BatchSize, 16)
        .Range(o => o.LearningRate, 3e-4f, 3e-2f, log: true)
        .Range(o => o.Dropout, 0f, 0.4f)
        .Choice(o => o.Experts, 2, 4);

    /// <summary>The table, with features.</summary>
    public static IDataView Table(MLContext ml, int rows = 120)
    {
        var data = ml.Data.LoadFromEnumerable(FeatureTables.Rows(rows));
        return ml.Transforms.Conversion.MapValueToKey("Label").Append(FeatureTables.Featurize(ml)).Fit(data).Transform(data);
    }

    /// <summary>A sweep over prices.</summary>
    /// <param name="ml">Its context.</param>
    /// <param name="change">Changes its options.</param>
    /// <param name="made">Is told of each trainer that is made.</param>
    public static SweepEstimator<MoeRegressionTrainer.Options> Prices(
        MLContext ml, Action<SweepOptions>? change = null, Action<MoeRegressionTrainer.Options>? made = null) =>
        ml.Regression.Trainers.Sweep(
            Space<MoeRegressionTrainer.Options>().Fix(o => o.LabelColumnName, "Price"),
            (own, o) =>
            {
                made?.Invoke(o);
                return own.Regression.Trainers.MoeRegressor(o);
            },
            Options(change, "Price"));

    /// <summary>A sweep over classes.</summary>
    public static SweepEstimator<MoeFeatureClassificationTrainer.Options> Classes(MLContext ml, Action<SweepOptions>? change = null) =>
        ml.MulticlassClassification.Trainers.Sweep(
            Space<MoeFeatureClassificationTrainer.Options>(),
            (own, o) => own.MulticlassClassification.Trainers.MoeClassifier(o),
            Options(change, "Label"));

    /// <summary>A sweep over yes and no.</summary>
    public static SweepEstimator<MoeBinaryClassificationTrainer.Options> Sizes(MLContext ml, Action<SweepOptions>? change = null) =>
        ml.BinaryClassification.Trainers.Sweep(
            Space<MoeBinaryClassificationTrainer.Options>().Fix(o => o.LabelColumnName, "IsLarge"),
            (own, o) => own.BinaryClassification.Trainers.MoeBinaryClassifier(o),
            Options(change, "IsLarge"));

    /// <summary>All of a result that does not depend on the machine's speed, a line for each trial.</summary>
    public static string[] Lines(SweepResult result) =>
    [
        .. result.Leaderboard.Select(trial => string.Create(
            CultureInfo.InvariantCulture,
            $"{trial.Number} {trial.Verdict} {trial.Loss:R} {string.Join(' ', trial.Options)} {string.Join(' ', trial.Epochs)} {string.Join(' ', trial.Metrics)}")),
        $"{result.Confirmation} {result.EnsembleLoss} {string.Join(' ', result.Members)}",
    ];

    private static SweepOptions Options(Action<SweepOptions>? change, string label)
    {
        var options = new SweepOptions { MaxTrials = 7, Workers = 1, ValidationShare = 0.3f, LabelColumnName = label, ConfirmWinner = false };
        change?.Invoke(options);
        return options;
    }
}
