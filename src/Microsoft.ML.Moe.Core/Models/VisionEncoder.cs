using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Patches of an image as tokens, convolutions over them, their positions, and the transformer blocks (Dosovitskiy et al. 2021, "An image
/// is worth 16×16 words").
/// </summary>
internal sealed class VisionEncoder
{
    private const float PositionDeviation = 0.1f;

    private readonly Linear _patches;
    private readonly Parameter _positionsSD;
    private readonly TokenConvolution[] _convolutions;
    private readonly LayerNorm _inputNorm;
    private readonly TransformerBlocks _blocks;
    private readonly float _inputDropout;

    public VisionEncoder(ParameterStore store, ImageClassifierConfig config)
    {
        var grid = config.Grid;
        _patches = new Linear(store, "patches", grid.Values, config.Width);
        _convolutions =
        [
            .. Enumerable.Range(0, config.Convolutions).Select(i => new TokenConvolution(store, $"convolutions.{i}", config.Width, grid)),
        ];
        _positionsSD = store.Normal("positions", ParameterRole.Bias, PositionDeviation, grid.Patches, config.Width);
        _inputNorm = new LayerNorm(store, "inputNorm", config.Width);
        _inputDropout = config.Dropout / 2;
        _blocks = new TransformerBlocks(store, config);
    }

    /// <summary>Contextual patch vectors, [T, D].</summary>
    public Tensor Forward(ForwardContext context, ImageBatch batch)
    {
        var tape = context.Tape;
        var tokens = batch.Positions.Length;
        var patchesTI = tape.Constant(batch.Patches, tokens, batch.Patches.Length / Math.Max(1, tokens));
        var xTD = _patches.Forward(tape, patchesTI);
        foreach (var convolution in _convolutions)
            xTD = convolution.Forward(tape, xTD);
        xTD = tape.Add(xTD, tape.Embedding(_positionsSD, batch.Positions));
        return _blocks.Forward(context, tape.Dropout(_inputNorm.Forward(tape, xTD), _inputDropout));
    }
}
