using Microsoft.ML.Moe.Fitting;

namespace Microsoft.ML.Moe.Classification;

/// <summary>Checks the options that all trainers of classifiers have.</summary>
internal static class ClassificationOptionsCheck
{
    /// <summary>Checks the options.</summary>
    /// <param name="options">The options.</param>
    /// <param name="columns">Names of the columns that a model of these options writes.</param>
    /// <param name="decidesArchitecture">Whether the options tell if there are MoE layers, not an earlier model.</param>
    /// <exception cref="ArgumentException">One is impossible, or two contradict each other; the message names them.</exception>
    public static void Check(IClassificationOptions options, ClassificationColumns columns, bool decidesArchitecture)
    {
        Engines.Check(options.Device, nameof(options.Device));
        Engines.Check(options.Precision, nameof(options.Precision));
        ColumnNames.Require(options.LabelColumnName, nameof(options.LabelColumnName));
        ColumnNames.Require(options.ScoreColumnName, nameof(options.ScoreColumnName));
        ColumnNames.Require(options.PredictedLabelColumnName, nameof(options.PredictedLabelColumnName));
        if (options.WeightColumnName is not null)
            ColumnNames.Require(options.WeightColumnName, nameof(options.WeightColumnName));
        ColumnNames.RequireDifferent(
            options.ScoreColumnName,
            nameof(options.ScoreColumnName),
            options.PredictedLabelColumnName,
            nameof(options.PredictedLabelColumnName));
        if (!(options.UncertainThreshold is >= 0 and <= 1)) // written so that NaN fails
            throw OutOfRange(nameof(options.UncertainThreshold), options.UncertainThreshold, "must lie between 0 and 1.");
        columns.CheckUncertainty(
            nameof(options.RouterEntropyColumnName), nameof(options.UncertainColumnName), nameof(options.UncertainThreshold));
        if (decidesArchitecture && columns.Uncertainty is not null && (options.MoeEvery == 0 || options.Layers < options.MoeEvery))
            throw Contradiction(
                nameof(options.MoeEvery),
                $"{nameof(options.RouterEntropyColumnName)} and {nameof(options.UncertainColumnName)} need MoE layers, and there are none with "
                + $"{nameof(options.Layers)} = {options.Layers} and {nameof(options.MoeEvery)} = {options.MoeEvery}.");
        if (options.EarlyStoppingPatience is not null && options.ValidationSet is null && options.ValidationShare <= 0)
            throw Contradiction(
                nameof(options.EarlyStoppingPatience),
                $"{nameof(options.EarlyStoppingPatience)} needs validation rows: set {nameof(options.ValidationSet)} or "
                + $"{nameof(options.ValidationShare)}.");
    }

    private static ArgumentOutOfRangeException OutOfRange(string option, object value, string rule) => new(option, value, $"{option} {rule}");

    private static ArgumentException Contradiction(string option, string message) => new(message, option);
}
