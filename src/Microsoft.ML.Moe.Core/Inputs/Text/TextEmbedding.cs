using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Token vectors of texts: a token table, positions, and a mark of the second text of a pair.</summary>
internal sealed class TextEmbedding : TokenEmbedding
{
    /// <summary>Name of the token table.</summary>
    public const string TokenTable = "tokens";

    private const float EmbeddingDeviation = 0.1f;
    private readonly Parameter _tableVD;
    private readonly Parameter _positionsSD;
    private readonly Parameter _segments2D;
    private readonly LayerNorm _inputNorm;
    private readonly float _inputDropout;

    public TextEmbedding(ParameterStore store, TextInputConfig config, EncoderConfig encoder)
    {
        var d = encoder.Width;
        _tableVD = store.Normal(TokenTable, ParameterRole.Embedding, EmbeddingDeviation, config.TableRows, d);
        _positionsSD = store.Normal("positions", ParameterRole.Bias, EmbeddingDeviation / 4, config.MaximumTokens, d);
        _segments2D = store.Normal("segments", ParameterRole.Bias, EmbeddingDeviation / 4, 2, d);
        _inputNorm = new LayerNorm(store, "inputNorm", d);
        _inputDropout = encoder.Dropout / 2;
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context, Batch batch)
    {
        var (tape, texts) = (context.Tape, (TextBatch)batch);
        var xTD = tape.EmbeddingBag(_tableVD, texts.Tokens);
        xTD = tape.Add(xTD, tape.Embedding(_positionsSD, texts.Positions));
        if (texts.HasSegments)
            xTD = tape.Add(xTD, tape.Embedding(_segments2D, texts.Segments));
        return tape.Dropout(_inputNorm.Forward(tape, xTD), _inputDropout);
    }
}
