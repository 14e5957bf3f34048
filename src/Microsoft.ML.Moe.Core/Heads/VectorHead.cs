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
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) => tape.MeanPool(encoded.Last, batch.Layout);

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs) => scores.CopyTo(outputs);

    /// <inheritdoc/>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training) =>
        throw new InvalidOperationException("A model that gives vectors has no targets to learn.");
}

/// <summary>What a model file tells of a <see cref="VectorHead"/>.</summary>
internal sealed record VectorHeadConfig : HeadConfig
{
    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new VectorHead(encoder.Width);
}
