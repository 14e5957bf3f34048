using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>What comes after any stem: learned positions, a norm, and dropout.</summary>
internal sealed class TokenPositions(ParameterStore store, int tokens, EncoderConfig encoder)
{
    private const float PositionDeviation = 0.1f;

    private readonly Parameter _positionsSD = store.Normal("positions", ParameterRole.Bias, PositionDeviation, tokens, encoder.Width);
    private readonly LayerNorm _inputNorm = new(store, "inputNorm", encoder.Width);
    private readonly float _inputDropout = encoder.Dropout / 2;

    /// <summary>[T, D] → [T, D].</summary>
    public Tensor AddTo(Tape tape, Tensor xTD, ImageBatch images)
    {
        xTD = tape.Add(xTD, tape.Embedding(_positionsSD, images.Positions));
        return tape.Dropout(_inputNorm.Forward(tape, xTD), _inputDropout);
    }
}
