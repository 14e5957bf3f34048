using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>An encoder with a layer on top that guesses tokens from their vectors; the layer is only for pretraining.</summary>
internal sealed class MaskedTokenNetwork
{
    private readonly TextEncoder _encoder;
    private readonly LayerNorm _norm;
    private readonly Linear _transform;
    private readonly Linear _decoder;

    public MaskedTokenNetwork(ParameterStore store, TextEncoderConfig config, int vocabulary)
    {
        _encoder = new TextEncoder(store, config);
        _transform = new Linear(store, "guess.transform", config.Width, config.Width, Activation.GeluTanh);
        _norm = new LayerNorm(store, "guess.norm", config.Width);
        _decoder = new Linear(store, "guess.decoder", config.Width, vocabulary);
    }

    /// <summary>Scores of the vocabulary for the tokens to guess, [M, V], and the layers' losses.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="batch">The texts.</param>
    /// <param name="rows">M tokens to guess.</param>
    public (Tensor LogitsMV, List<Tensor> AuxiliaryLosses) Forward(Tape tape, TextBatch batch, ReadOnlySpan<int> rows)
    {
        var context = new ForwardContext(tape, batch.Layout);
        var xTD = _encoder.Forward(context, batch);
        var guessedMD = tape.Embedding(xTD, rows);
        var logitsMV = _decoder.Forward(tape, _norm.Forward(tape, _transform.Forward(tape, guessedMD)));
        return (logitsMV, context.AuxiliaryLosses);
    }
}
