using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe;

public sealed partial class MoeFeatureClassificationTrainer
{
    /// <summary>Columns, architecture and training of <see cref="MoeFeatureClassificationTrainer"/>; all of it can stay as it is.</summary>
    public sealed class Options : MoeFeatureOptions
    {
        /// <summary>Column that receives the most probable label. Default <c>PredictedLabel</c>.</summary>
        public string PredictedLabelColumnName { get; set; } = "PredictedLabel";

        /// <inheritdoc cref="MoeClassifierOptions.RouterEntropyColumnName"/>
        public string? RouterEntropyColumnName { get; set; }

        /// <inheritdoc cref="MoeClassifierOptions.UncertainColumnName"/>
        public string? UncertainColumnName { get; set; }

        /// <inheritdoc cref="MoeClassifierOptions.UncertainThreshold"/>
        public double UncertainThreshold { get; set; } = RoutingReportOptions.DefaultUncertainThreshold;

        /// <summary>Share of the target's probability that is spread evenly over the classes, within [0, 1). Default 0.</summary>
        public float LabelSmoothing { get; set; }

        /// <summary>How rows are weighted by class. Default <see cref="ClassWeighting.None"/>.</summary>
        public ClassWeighting ClassWeighting { get; set; } = ClassWeighting.None;

        /// <summary>Names of the columns that a model of these options reads and writes.</summary>
        internal FeatureClassificationColumns Columns => new(
            FeatureColumnName,
            PredictedLabelColumnName,
            ScoreColumnName,
            UncertaintyColumns.Of(RouterEntropyColumnName, UncertainColumnName, UncertainThreshold));

        private protected override ColumnNames Names => base.Names
            .Write(PredictedLabelColumnName, nameof(PredictedLabelColumnName))
            .WriteIfNamed(RouterEntropyColumnName, nameof(RouterEntropyColumnName))
            .WriteIfNamed(UncertainColumnName, nameof(UncertainColumnName));

        internal override IEnumerable<(string Option, string Reason)> WithoutEffect() =>
            UncertainColumnName is not null || !Changed(nameof(UncertainThreshold)).Any()
                ? base.WithoutEffect()
                : base.WithoutEffect().Append((nameof(UncertainThreshold), $"{nameof(UncertainColumnName)} is null"));

        private protected override void CheckTask()
        {
            base.CheckTask();
            OptionCheck.Range(UncertainThreshold, 0, 1, nameof(UncertainThreshold));
            if (DecidesArchitecture && Columns.Uncertainty is not null && ToEncoderConfig().MoeLayers == 0)
                throw new ArgumentException(
                    $"{nameof(RouterEntropyColumnName)} and {nameof(UncertainColumnName)} need MoE layers, and there are none with "
                    + $"{nameof(Layers)} = {Layers} and {nameof(MoeEvery)} = {MoeEvery}.",
                    nameof(MoeEvery));
        }

        internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with
        {
            LabelSmoothing = LabelSmoothing,
            ClassWeighting = ClassWeighting,
        };
    }
}

/// <summary>Names of the columns that a trained classifier of features reads and writes.</summary>
/// <param name="Features">Vector of features.</param>
/// <param name="PredictedLabel">Receives the most probable label.</param>
/// <param name="Score">Receives the labels' probabilities.</param>
/// <param name="Uncertainty">Columns about the routers' uncertainty; null when there are none.</param>
internal sealed record FeatureClassificationColumns(
    string Features, string PredictedLabel, string Score, UncertaintyColumns? Uncertainty = null)
    : ClassificationColumns(PredictedLabel, Score, Uncertainty);
