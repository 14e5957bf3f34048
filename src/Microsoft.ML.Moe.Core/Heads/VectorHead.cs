using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>A vector for each row: the mean of its token vectors. Has no weights; a model learns them under another head.</summary>
/// <param name="width">Width of token vectors, D.</param>
internal sealed class VectorHead(int width) : Head
{
    /// <inheritdoc/>
    public override int Outputs => width;

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => (0, 0);

    /// <inheritdoc/>
    public override HeadScores Forward(Tape tape, Tensor xTD, Batch batch) => new(tape.MeanPool(xTD, batch.Layout));

    /// <inheritdoc/>
    public override void Write(Tape tape, HeadScores scores, Span<float> outputs) => scores.Scores.CopyTo(outputs);

    /// <inheritdoc/>
    public override (Tensor Total, Tensor Reported) Loss(
        Tape tape, HeadScores scores, Batch batch, Targets targets, TrainingConfig training) => throw Untrained();

    /// <inheritdoc/>
    public override void Measure(Tape tape, HeadScores scores, Batch batch, Targets targets, Measurement measurement) => throw Untrained();

    private static InvalidOperationException Untrained() => new("A model that gives vectors has no targets to learn or to be measured by.");
}

/// <summary>What a model file tells of a <see cref="VectorHead"/>.</summary>
internal sealed record VectorHeadConfig : HeadConfig
{
    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new VectorHead(encoder.Width);
}
