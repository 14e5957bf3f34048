using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Token vectors of images: a linear layer over each patch, convolutions over the patches, and their positions.</summary>
internal sealed class PatchEmbedding : TokenEmbedding
{
    private readonly Linear _patches;
    private readonly TokenConvolution[] _convolutions;
    private readonly TokenPositions _positions;

    public PatchEmbedding(ParameterStore store, ImageInputConfig config, EncoderConfig encoder)
    {
        var grid = config.Grid;
        _patches = new Linear(store, "patches", grid.Values, encoder.Width);
        _convolutions =
        [
            .. Enumerable.Range(0, config.Convolutions).Select(i => new TokenConvolution(store, $"convolutions.{i}", encoder.Width, grid)),
        ];
        _positions = new TokenPositions(store, grid.Patches, encoder);
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, images) = (context.Tape, (ImageBatch)batch);
        var xTD = _patches.Forward(tape, images.ValuesOn(tape));
        foreach (var convolution in _convolutions)
            xTD = convolution.Forward(tape, xTD);
        return _positions.AddTo(tape, xTD, images);
    }
}
