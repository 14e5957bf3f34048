using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>Token table and positions, and the transformer blocks over them.</summary>
internal sealed class TextEncoder
{
    /// <summary>Name of the token table.</summary>
    public const string TokenTable = "tokens";

    private const float EmbeddingDeviation = 0.1f;
    private readonly Parameter _tableVD;
    private readonly Parameter _positionsSD;
    private readonly Parameter _segments2D;
    private readonly Parameter _marks2D;
    private readonly LayerNorm _inputNorm;
    private readonly TransformerBlocks _blocks;
    private readonly float _inputDropout;

    public TextEncoder(ParameterStore store, TextEncoderConfig config)
    {
        var d = config.Width;
        _tableVD = store.Normal(TokenTable, ParameterRole.Embedding, EmbeddingDeviation, config.TableRows, d);
        _positionsSD = store.Normal("positions", ParameterRole.Bias, EmbeddingDeviation / 4, config.MaximumTokens, d);
        _segments2D = store.Normal("segments", ParameterRole.Bias, EmbeddingDeviation / 4, 2, d);
        _marks2D = store.Normal("marks", ParameterRole.Bias, EmbeddingDeviation, 2, d);
        _inputNorm = new LayerNorm(store, "inputNorm", d);
        _inputDropout = config.Dropout / 2;
        _blocks = new TransformerBlocks(store, config);
    }

    /// <summary>Contextual token vectors, [T, D].</summary>
    public Tensor Forward(ForwardContext context, TextBatch batch)
    {
        var tape = context.Tape;
        var xTD = tape.EmbeddingBag(_tableVD, batch.Tokens);
        xTD = tape.Add(xTD, tape.Embedding(_positionsSD, batch.Positions));
        if (batch.HasSegments)
            xTD = tape.Add(tape.Add(xTD, tape.Embedding(_segments2D, batch.Segments)), tape.Embedding(_marks2D, batch.Marks));
        xTD = tape.Dropout(_inputNorm.Forward(tape, xTD), _inputDropout);
        return _blocks.Forward(context, xTD);
    }
}
