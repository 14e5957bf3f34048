using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Token vectors of a published encoder of images: a learned vector for each token before the patches, a linear layer over each patch, and
/// positions. Images of another size than it was trained on have positions between the trained ones.
/// </summary>
internal sealed class PublishedPatchEmbedding : TokenEmbedding
{
    private const float Deviation = 0.02f;

    private readonly Parameter _patchesID;
    private readonly Parameter _bias1D;
    private readonly Parameter[] _tokens1D;
    private readonly Parameter _positionsSD;
    private readonly float[]? _betweenPS;
    private readonly float _dropout;
    private readonly int _tokensOfImage;

    public PublishedPatchEmbedding(ParameterStore store, PatchGrid grid, VisionTransformerConfig encoder)
    {
        var (d, special) = (encoder.Width, encoder.SpecialTokens);
        var (columns, rows) = (encoder.ImageWidth / encoder.PatchSize, encoder.ImageHeight / encoder.PatchSize);
        _patchesID = store.Normal("embedding.patches.weight", ParameterRole.Weight, Deviation, grid.Values, d);
        _bias1D = store.Constant("embedding.patches.bias", ParameterRole.Bias, 0f, 1, d);
        _tokens1D =
        [
            .. Enumerable.Range(0, special).Select(token => store.Normal($"embedding.tokens.{token}", ParameterRole.Bias, Deviation, 1, d)),
        ];
        _positionsSD = store.Normal("embedding.positions", ParameterRole.Bias, Deviation, special + rows * columns, d);
        _dropout = encoder.Dropout;
        _tokensOfImage = special + grid.Patches;
        if ((grid.Columns, grid.Rows) != (columns, rows))
            _betweenPS = PositionsBetween.Matrix(special, columns, rows, grid.Columns, grid.Rows);
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, images) = (context.Tape, (ImageBatch)batch);
        var xTD = tape.Linear(images.ValuesOn(tape), _patchesID);
        xTD = tape.Add(xTD, At(tape, images, _bias1D, position => position >= _tokens1D.Length));
        for (var token = 0; token < _tokens1D.Length; token++)
        {
            var number = token;
            xTD = tape.Add(xTD, At(tape, images, _tokens1D[token], position => position == number));
        }

        Tensor positionsPD = _positionsSD;
        if (_betweenPS is not null)
            positionsPD = tape.Linear(tape.Constant(_betweenPS, _tokensOfImage, _betweenPS.Length / _tokensOfImage), _positionsSD);
        return tape.Dropout(tape.Add(xTD, tape.Embedding(positionsPD, images.Positions)), _dropout);
    }

    /// <summary>A vector at some of the tokens, nothing at the others: a product with ones and zeros.</summary>
    private static Tensor At(Tape tape, ImageBatch images, Parameter vector1D, Predicate<int> isThere)
    {
        var places = new float[images.Positions.Length];
        for (var i = 0; i < places.Length; i++)
            places[i] = isThere(images.Positions[i]) ? 1f : 0f;
        return tape.Linear(tape.Constant(places, places.Length, 1), vector1D);
    }
}
