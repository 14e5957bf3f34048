using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Token table, positions and pre-norm transformer blocks, every n-th with a mixture of experts in place of its feed-forward network.
/// </summary>
internal sealed class TextEncoder
{
    /// <summary>Name of the token table.</summary>
    public const string TokenTable = "tokens";

    private const float EmbeddingDeviation = 0.1f;
    private readonly Parameter _tableVD;
    private readonly Parameter _positionsSD;
    private readonly Parameter _segments2D;
    private readonly LayerNorm _inputNorm;
    private readonly EncoderBlock[] _blocks;
    private readonly LayerNorm _outputNorm;
    private readonly float _inputDropout;

    public TextEncoder(ParameterStore store, TextEncoderConfig config)
    {
        var d = config.Width;
        _tableVD = store.Normal(TokenTable, ParameterRole.Embedding, EmbeddingDeviation, config.TableRows, d);
        _positionsSD = store.Normal("positions", ParameterRole.Bias, EmbeddingDeviation / 4, config.MaximumTokens, d);
        _segments2D = store.Normal("segments", ParameterRole.Bias, EmbeddingDeviation / 4, 2, d);
        _inputNorm = new LayerNorm(store, "inputNorm", d);
        _inputDropout = config.Dropout / 2;
        var gain = 1f / MathF.Sqrt(Math.Max(1, 2 * config.Layers));
        var moe = new MoeSettings(
            config.Experts,
            config.Router.CreatePolicy(),
            config.LoadBalancingCoefficient,
            config.RouterZLossCoefficient);
        _blocks = [.. Enumerable.Range(0, config.Layers).Select(Block)];
        _outputNorm = new LayerNorm(store, "outputNorm", d);

        EncoderBlock Block(int layer)
        {
            var name = $"layers.{layer}";
            var attention = new SelfAttention(store, name + ".attention", d, config.Heads, gain, config.Dropout / 2);
            IFeedForward feedForward = config.HasExperts(layer)
                ? new MoeLayer(store, name + ".moe", layer, d, config.ExpertWidth, moe, gain)
                : new DenseFeedForward(store, name + ".feedForward", d, config.DenseWidth, gain);
            return new EncoderBlock(store, name, d, attention, feedForward, config.Dropout);
        }
    }

    /// <summary>Contextual token vectors, [T, D].</summary>
    public Tensor Forward(ForwardContext context, TextBatch batch)
    {
        var tape = context.Tape;
        var xTD = tape.EmbeddingBag(_tableVD, batch.Tokens);
        xTD = tape.Add(xTD, tape.Embedding(_positionsSD, batch.Positions));
        if (batch.HasSegments)
            xTD = tape.Add(xTD, tape.Embedding(_segments2D, batch.Segments));
        xTD = tape.Dropout(_inputNorm.Forward(tape, xTD), _inputDropout);
        foreach (var block in _blocks)
            xTD = block.Forward(context, xTD);
        return _outputNorm.Forward(tape, xTD);
    }
}
