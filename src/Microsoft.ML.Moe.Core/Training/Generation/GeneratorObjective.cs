using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Training;

/// <summary>Learning to write: rows of similar length together, and, where that is asked for, answers to choose the best epoch by.</summary>
/// <param name="model">The model, as it is trained.</param>
/// <param name="packer">Packs its rows.</param>
/// <param name="rows">The rows.</param>
/// <param name="config">How it is trained.</param>
/// <param name="metric">Chooses the best epoch; null chooses by the loss.</param>
internal sealed class GeneratorObjective(
    Model<EncodedText> model, Packer<EncodedText> packer, TrainingRows<EncodedText> rows, GeneratorTrainingConfig config, ValidationMetric? metric)
    : ModelObjective<EncodedText>(model, packer, rows.Training, rows.Validation, config.Training)
{
    private readonly Model<EncodedText> _model = model;

    /// <inheritdoc/>
    public override void Arrange(Span<int> order, int batchSize, Random random)
    {
        if (config.BatchesByLength)
            LengthBuckets.Arrange(order, batchSize, example => LengthOf(Training[example].Input), random);
    }

    /// <inheritdoc/>
    public override ValidationResult? Evaluate()
    {
        var evaluation = base.Evaluate();
        return evaluation is null || metric is null
            ? evaluation
            : evaluation.Value with { Score = metric.ScoreOf(_model, rows.Validation) };
    }

    private static int LengthOf(EncodedText row) => row.Length + (row.Ids!.Targets?.Length ?? 0);
}
