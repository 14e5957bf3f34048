using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Multi-head latent attention (DeepSeek-AI 2024, "DeepSeek-V2", section 2.1): keys and values of all heads are made of one narrow vector of
/// each token, and positions turn columns apart, whose keys all heads share:
/// <code>
/// q = Wq·x, or Wb·rms(Wa·x)                    of each head the first columns plain, the others turned
/// c = rms(Wc·x);  k = [Wk·c | turned(Wr·x)];  v = Wv·c
/// y = Wo·attention(q, k, v)
/// </code>
/// </summary>
internal sealed class LatentAttention : IAttention
{
    /// <summary>Of the norms of what queries, keys and values are made of, whatever the file says of the others.</summary>
    private const float Epsilon = 1e-6f;

    private readonly string _name;
    private readonly LatentCausalConfig _config;
    private readonly AttentionSpec _spec;
    private readonly float _queryScale;
    private readonly RotaryFrequencies _ofKeys;
    private readonly RotaryFrequencies _ofQueries;
    private readonly Linear? _queriesDown;
    private readonly RmsNorm? _queriesNorm;
    private readonly Linear _queries;
    private readonly Linear _keysValuesDown;
    private readonly Linear _turnedKeys;
    private readonly RmsNorm _keysValuesNorm;
    private readonly Linear _keysUp;
    private readonly Linear _valuesUp;
    private readonly Linear _output;

    /// <summary>Makes the projections.</summary>
    /// <param name="store">Makes them.</param>
    /// <param name="name">What their names begin with.</param>
    /// <param name="config">Widths.</param>
    /// <param name="settings">Heads, scale and frequencies.</param>
    public LatentAttention(ParameterStore store, string name, LatentCausalConfig config, CausalAttentionSettings settings)
    {
        (_name, _config) = (name, config);
        (_spec, _queryScale) = (settings.Spec, settings.QueryScale);
        _ofKeys = settings.Rotary!;
        _ofQueries = new RotaryFrequencies(_ofKeys.Values, _ofKeys.IsInterleaved)
        {
            Amplitude = _ofKeys.Amplitude,
            FirstColumn = config.PlainWidth,
        };
        var (d, heads, rank, hasBias) = (config.Width, config.Heads, config.KeyValueRank, config.HasAttentionBias);
        var queryWidth = heads * (config.PlainWidth + config.HeadWidth);
        if (config.QueryRank is { } queryRank)
        {
            _queriesDown = new Linear(store, name + ".queriesDown", d, queryRank, hasBias: hasBias);
            _queriesNorm = new RmsNorm(store, name + ".queriesNorm", queryRank, Epsilon);
            _queries = new Linear(store, name + ".queriesUp", queryRank, queryWidth, hasBias: false);
        }
        else
        {
            _queries = new Linear(store, name + ".queries", d, queryWidth, hasBias: false);
        }

        _keysValuesDown = new Linear(store, name + ".keysValuesDown", d, rank, hasBias: hasBias);
        _turnedKeys = new Linear(store, name + ".turnedKeys", d, config.HeadWidth, hasBias: hasBias);
        _keysValuesNorm = new RmsNorm(store, name + ".keysValuesNorm", rank, Epsilon);
        _keysUp = new Linear(store, name + ".keysUp", rank, heads * config.PlainWidth, hasBias: false);
        _valuesUp = new Linear(store, name + ".valuesUp", rank, heads * config.ValueWidth, hasBias: false);
        _output = new Linear(store, name + ".output", heads * config.ValueWidth, d, hasBias: config.HasAttentionOutputBias);
    }

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var (tape, positions) = (context.Tape, context.Positions());
        var ofQueries = _queriesDown is null ? xTD : _queriesNorm!.Forward(tape, _queriesDown.Forward(tape, xTD));
        var qTD = tape.Rotary(_queries.Forward(tape, ofQueries), positions, _config.Heads, _ofQueries);
        if (_queryScale != 1f)
            qTD = tape.Scale(qTD, _queryScale);
        var turnedTR = tape.Rotary(_turnedKeys.Forward(tape, xTD), positions, heads: 1, _ofKeys);
        var latentTC = _keysValuesNorm.Forward(tape, _keysValuesDown.Forward(tape, xTD));
        var kTD = JoinHeads(tape, _keysUp.Forward(tape, latentTC), turnedTR);
        return _output.Forward(tape, context.CausalAttention(_name, qTD, kTD, _valuesUp.Forward(tape, latentTC), _spec));
    }

    /// <summary>Puts the turned columns, the same for all heads, behind each head's own.</summary>
    private Tensor JoinHeads(Tape tape, Tensor plainTD, Tensor turnedTR)
    {
        var (tokens, heads) = (plainTD.Shape[0], _config.Heads);
        var tokenOfHead = new int[tokens * heads];
        for (var i = 0; i < tokenOfHead.Length; i++)
            tokenOfHead[i] = i / heads;
        var joined = tape.Concat(tape.Reshape(plainTD, tokenOfHead.Length, _config.PlainWidth), tape.Embedding(turnedTR, tokenOfHead));
        return tape.Reshape(joined, tokens, heads * joined.Columns);
    }
}
