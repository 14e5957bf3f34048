using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The load-balancing loss of published causal mixtures: one of all layers' tokens together, N·Σⱼ Σₑ fⱼₑ·Pₑ over N experts. fⱼₑ is the share
/// of tokens whose j-th choice is the expert's, which has no gradient, and Pₑ the mean over the tokens of softmax(logits)ₑ; padding is left
/// out (transformers, <c>load_balancing_loss_func</c> of Mixtral and its kin). A bias for the choice does not count.
/// </summary>
/// <param name="next">Is shown everything too; null for none.</param>
internal sealed class LayersBalancing(IRoutingObserver? next = null) : IRoutingObserver
{
    private readonly List<RoutedLayer> _layers = [];

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        _layers.Add(layer);
        next?.OnRouted(layer);
    }

    /// <inheritdoc/>
    public void OnAttentionRouted(RoutedLayer layer)
    {
        _layers.Add(layer);
        next?.OnAttentionRouted(layer);
    }

    /// <summary>The loss, one element; null where nothing was routed.</summary>
    public Tensor? Loss(Tape tape)
    {
        if (_layers.Count == 0)
            return null;
        var experts = _layers[0].Plan.Experts;
        var pairsE = new long[experts];
        var tokens = 0L;
        foreach (var layer in _layers)
        {
            if (layer.Plan.Experts != experts)
                throw new InvalidOperationException($"A layer has {layer.Plan.Experts} experts where another has {experts}.");
            var ofLayer = layer.Layout.Mask.IsEmpty ? layer.Layout.Tokens : layer.Layout.Mask.Count(true);
            if (ofLayer == 0)
                continue;
            tokens += ofLayer;
            var plan = layer.HasChoiceBias
                ? tape.Route(layer.LogitsTE, new TokenChoice(Math.Max(1, layer.Plan.Pairs / ofLayer), normalizeWeights: false), layer.Layout)
                : layer.Plan;
            for (var expert = 0; expert < experts; expert++)
                pairsE[expert] += plan.TokensOf(expert).Length;
        }

        Tensor? sum = null;
        foreach (var layer in _layers.Where(layer => layer.Layout.Tokens > 0))
        {
            var term = Term(tape, layer, pairsE, Math.Max(1, tokens));
            sum = sum is null ? term : tape.Add(sum, term);
        }

        return sum;
    }

    // Σ over the layer's tokens and experts of N·f·p/tokens, by way of a mean over all entries
    private static Tensor Term(Tape tape, RoutedLayer layer, long[] pairsE, long tokens)
    {
        var (count, experts) = (layer.Layout.Tokens, pairsE.Length);
        var factorsTE = new float[count * experts];
        for (var token = 0; token < count; token++)
        {
            if (!layer.Layout.IsToken(token))
                continue;
            for (var expert = 0; expert < experts; expert++)
                factorsTE[token * experts + expert] = (float)((double)experts * pairsE[expert] / tokens / tokens * factorsTE.Length);
        }

        return tape.Mean(tape.Multiply(tape.Softmax(layer.LogitsTE), tape.Constant(factorsTE, count, experts)));
    }
}
