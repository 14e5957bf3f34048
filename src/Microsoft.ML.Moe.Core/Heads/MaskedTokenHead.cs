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

    public MaskedTokenHead(ParameterStore store, EncoderConfig encoder, MaskedTokenHeadConfig config)
    {
        var d = encoder.Width;
        _transform = new Linear(store, "guess.transform", d, d, config.Activation, hasBias: config.HasBias);
        _norm = new LayerNorm(store, "guess.norm", d, config.NormEpsilon);
        _decoder = new Linear(store, "guess.decoder", d, config.Vocabulary, hasBias: config.HasBias);
    }

    /// <inheritdoc/>
    public override int Outputs => 0;

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => (0, 0);

    /// <summary>Scores of the vocabulary for the M hidden tokens, [M, V].</summary>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) =>
        Scores(tape, tape.Embedding(encoded.Last, MaskedOf(batch).RowsIn(batch.Layout)));

    /// <summary>Scores of the vocabulary for tokens, [M, D] → [M, V].</summary>
    public Tensor Scores(Tape tape, Tensor xMD) => _decoder.Forward(tape, _norm.Forward(tape, _transform.Forward(tape, xMD)));

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs)
    {
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training) =>
        tape.CrossEntropy(scores, MaskedOf(batch).Targets, []);

    /// <inheritdoc/>
    public override void Measure(Tape tape, Tensor scores, Batch batch, Targets targets, Measurement measurement) =>
        measurement.AddTokens(tape, scores, MaskedOf(batch).Targets, []);

    private static MaskedTexts MaskedOf(Batch batch) => ((TextBatch)batch).Masked!;
}

/// <summary>A <see cref="MaskedTokenHead"/> in the making; never saved.</summary>
/// <param name="Vocabulary">Tokens that can be hidden, V.</param>
internal sealed record MaskedTokenHeadConfig(int Vocabulary) : HeadConfig
{
    /// <summary>Activation of the layer before the vocabulary's.</summary>
    public Activation Activation { get; init; } = Activation.GeluTanh;

    /// <summary>Added to the variance in layer normalisation.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Whether the two layers have biases.</summary>
    public bool HasBias { get; init; } = true;

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new MaskedTokenHead(store, encoder, this);
}
