using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Token vectors of images: a linear layer over each patch, convolutions over the patches, and their positions.</summary>
internal sealed class PatchEmbedding : TokenEmbedding
{
    private const float PositionDeviation = 0.1f;

    private readonly Linear _patches;
    private readonly Parameter _positionsSD;
    private readonly TokenConvolution[] _convolutions;
    private readonly LayerNorm _inputNorm;
    private readonly float _inputDropout;

    public PatchEmbedding(ParameterStore store, ImageInputConfig config, EncoderConfig encoder)
    {
        var grid = config.Grid;
        _patches = new Linear(store, "patches", grid.Values, encoder.Width);
        _convolutions =
        [
            .. Enumerable.Range(0, config.Convolutions).Select(i => new TokenConvolution(store, $"convolutions.{i}", encoder.Width, grid)),
        ];
        _positionsSD = store.Normal("positions", ParameterRole.Bias, PositionDeviation, grid.Patches, encoder.Width);
        _inputNorm = new LayerNorm(store, "inputNorm", encoder.Width);
        _inputDropout = encoder.Dropout / 2;
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, images) = (context.Tape, (ImageBatch)batch);
        var xTD = _patches.Forward(tape, images.PatchesOn(tape));
        foreach (var convolution in _convolutions)
            xTD = convolution.Forward(tape, xTD);
        xTD = tape.Add(xTD, tape.Embedding(_positionsSD, images.Positions));
        return tape.Dropout(_inputNorm.Forward(tape, xTD), _inputDropout);
    }
}
