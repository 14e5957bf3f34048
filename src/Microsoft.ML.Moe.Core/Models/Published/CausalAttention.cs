using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>Where queries and keys are normalised (RMS), if at all.</summary>
internal enum QueryKeyNorm
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>All heads together, before the positions turn them (OLMo).</summary>
    Whole,

    /// <summary>Each head by itself, before the positions turn it (Qwen3).</summary>
    Heads,

    /// <summary>Each head by itself, after the positions have turned it (Hunyuan).</summary>
    TurnedHeads,
}

/// <summary>Form of <see cref="CausalAttention"/>.</summary>
/// <param name="HeadWidth">Columns of a head.</param>
/// <param name="Spec">Heads, scale, window and dropout; causal.</param>
/// <param name="Rotary">Rotary frequencies; null where positions come from a table.</param>
internal sealed record CausalAttentionSettings(int HeadWidth, AttentionSpec Spec, RotaryFrequencies? Rotary = null)
{
    /// <summary>
    /// Frequencies of sequences that are longer than a number of tokens; null where all have the same. Keys in a cache stay as they were
    /// turned: a sequence that becomes longer than that has keys of both kinds.
    /// </summary>
    public (RotaryFrequencies Frequencies, int Length)? Beyond { get; init; }

    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool HasBias { get; init; }

    /// <summary>Whether the output has a bias.</summary>
    public bool HasOutputBias { get; init; }

    /// <summary>Where queries and keys are normalised.</summary>
    public QueryKeyNorm Norm { get; init; }

    /// <summary>Added to the mean square by these norms.</summary>
    public float NormEpsilon { get; init; }

    /// <summary>Whether each head has a sink: the learned score of a key without value, which takes part in the softmax.</summary>
    public bool HasSinks { get; init; }

    /// <summary>Queries, keys and values are kept within ±this, before the positions turn them; null for no bound.</summary>
    public float? Clip { get; init; }

    /// <summary>Factor of the queries, beside the scale of <see cref="Spec"/>.</summary>
    public float QueryScale { get; init; } = 1f;

    /// <summary>Frequencies for a pass: those of all tokens, or of each; none where positions come from a table.</summary>
    public RotaryFrequencies[] RotaryOf(ForwardContext context)
    {
        if (Rotary is null || Beyond is not { } beyond)
            return Rotary is null ? [] : [Rotary];
        var ofTokens = new RotaryFrequencies[context.Layout.Tokens];
        for (var row = 0; row < context.Layout.Sequences; row++)
        {
            var frequencies = context.LengthOf(row) > beyond.Length ? beyond.Frequencies : Rotary;
            ofTokens.AsSpan(context.Layout.Offsets[row]..context.Layout.Offsets[row + 1]).Fill(frequencies);
        }

        return ofTokens;
    }
}

/// <summary>
/// Attention of causal models: a token reads itself and those before it. Heads of keys and values may be fewer than those of queries, and the
/// positions may turn both.
/// </summary>
/// <param name="store">Makes the projections.</param>
/// <param name="name">What their names begin with.</param>
/// <param name="width">D.</param>
/// <param name="settings">The form.</param>
internal sealed class CausalAttention(ParameterStore store, string name, int width, CausalAttentionSettings settings) : IAttention
{
    private readonly Linear _queries = Projection(store, name + ".queries", width, settings, settings.Spec.Heads);
    private readonly Linear _keys = Projection(store, name + ".keys", width, settings, settings.Spec.KeyValueHeads);
    private readonly Linear _values = Projection(store, name + ".values", width, settings, settings.Spec.KeyValueHeads);
    private readonly Linear _output = new(
        store, name + ".output", settings.Spec.Heads * settings.HeadWidth, width, hasBias: settings.HasOutputBias);
    private readonly Parameter? _sinksH =
        settings.HasSinks ? store.Constant(name + ".sinks", ParameterRole.Bias, 0f, settings.Spec.Heads) : null;
    private readonly RmsNorm? _queryNorm = NormOf(store, name + ".queryNorm", settings, settings.Spec.Heads);
    private readonly RmsNorm? _keyNorm = NormOf(store, name + ".keyNorm", settings, settings.Spec.KeyValueHeads);

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var (tape, spec) = (context.Tape, settings.Spec);
        var positions = settings.Rotary is null ? [] : context.Positions();
        var rotary = settings.RotaryOf(context);
        var q = Placed(_queries, _queryNorm, spec.Heads);
        if (settings.QueryScale != 1f)
            q = tape.Scale(q, settings.QueryScale);
        var k = Placed(_keys, _keyNorm, spec.KeyValueHeads);
        return _output.Forward(tape, context.CausalAttention(name, q, k, Clipped(_values.Forward(tape, xTD)), spec, sinksH: _sinksH?.Value));

        Tensor Placed(Linear projection, RmsNorm? norm, int heads)
        {
            var x = projection.Forward(tape, xTD);
            if (norm is not null && settings.Norm != QueryKeyNorm.TurnedHeads)
                x = norm.Forward(tape, x);
            x = Clipped(x);
            if (settings.Rotary is not null)
                x = tape.Rotary(x, positions, heads, rotary);
            return norm is not null && settings.Norm == QueryKeyNorm.TurnedHeads ? norm.Forward(tape, x) : x;
        }

        Tensor Clipped(Tensor x) => settings.Clip is { } bound ? tape.Clamp(x, -bound, bound) : x;
    }

    private static Linear Projection(ParameterStore store, string name, int width, CausalAttentionSettings settings, int heads) =>
        new(store, name, width, heads * settings.HeadWidth, hasBias: settings.HasBias);

    private static RmsNorm? NormOf(ParameterStore store, string name, CausalAttentionSettings settings, int heads) => settings.Norm switch
    {
        QueryKeyNorm.None => null,
        QueryKeyNorm.Whole => new RmsNorm(store, name, heads * settings.HeadWidth, settings.NormEpsilon),
        _ => new RmsNorm(store, name, settings.HeadWidth, settings.NormEpsilon),
    };
}
