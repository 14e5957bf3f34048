using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// Predicts hidden tokens from their vectors (Devlin et al. 2019, "BERT", section 3.1); only for pretraining. The targets are in the batch.
/// </summary>
internal sealed class MaskedTokenHead : Head
{
    private readonly LayerNorm _norm;
    private readonly Linear _transform;
    private readonly Linear _decoder;

    public MaskedTokenHead(ParameterStore store, EncoderConfig encoder, int vocabulary)
    {
        _transform = new Linear(store, "guess.transform", encoder.Width, encoder.Width, Activation.GeluTanh);
        _norm = new LayerNorm(store, "guess.norm", encoder.Width);
        _decoder = new Linear(store, "guess.decoder", encoder.Width, vocabulary);
    }

    /// <inheritdoc/>
    public override int Outputs => 0;

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => (0, 0);

    /// <summary>Scores of the vocabulary for the M hidden tokens, [M, V].</summary>
    public override HeadScores Forward(Tape tape, Tensor xTD, Batch batch)
    {
        var hiddenMD = tape.Embedding(xTD, MaskedOf(batch).RowsIn(batch.Layout));
        return new HeadScores(_decoder.Forward(tape, _norm.Forward(tape, _transform.Forward(tape, hiddenMD))));
    }

    /// <inheritdoc/>
    public override void Write(Tape tape, HeadScores scores, Span<float> outputs)
    {
    }

    /// <inheritdoc/>
    public override (Tensor Total, Tensor Reported) Loss(
        Tape tape, HeadScores scores, Batch batch, Targets targets, TrainingConfig training)
    {
        var loss = tape.CrossEntropy(scores.Scores, MaskedOf(batch).Targets, []);
        return (loss, loss);
    }

    /// <inheritdoc/>
    public override void Measure(Tape tape, HeadScores scores, Batch batch, Targets targets, Measurement measurement)
    {
        var hidden = MaskedOf(batch).Targets;
        var vocabulary = scores.Scores.Columns;
        var loss = hidden.Length * (double)tape.CrossEntropy(scores.Scores, hidden, []).ToArray()[0];
        var logits = measurement.Room(scores.Scores.Length);
        scores.Scores.CopyTo(logits);
        var right = 0;
        for (var i = 0; i < hidden.Length; i++)
            right += Measurement.IndexOfMaximum(logits.Slice(i * vocabulary, vocabulary)) == hidden[i] ? 1 : 0;
        measurement.Add(loss, right, hidden.Length);
    }

    private static MaskedTexts MaskedOf(Batch batch) => ((TextBatch)batch).Masked!;
}

/// <summary>A <see cref="MaskedTokenHead"/> in the making; never saved.</summary>
/// <param name="Vocabulary">Tokens that can be hidden, V.</param>
internal sealed record MaskedTokenHeadConfig(int Vocabulary) : HeadConfig
{
    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new MaskedTokenHead(store, encoder, Vocabulary);
}
