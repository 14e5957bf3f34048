using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The load-balancing loss of published causal mixtures: one of all layers' tokens together, N·Σⱼ Σₑ fⱼₑ·Pₑ over N experts. fⱼₑ is the share
/// of tokens whose j-th choice is the expert's, which has no gradient, and Pₑ the mean over the tokens of softmax(logits)ₑ; padding is left
/// out (transformers, <c>load_balancing_loss_func</c> of Mixtral and its kin). A bias for the choice does not count.
/// </summary>
/// <param name="next">Is shown everything too; null for none.</param>
/// <param name="coefficient">Factor of the loss.</param>
internal sealed class LayersBalancing(IRoutingObserver? next = null, float coefficient = 1f) : LayersLoss(next)
{
    /// <inheritdoc/>
    public override Tensor? Loss(Tape tape)
    {
        if (Layers.Count == 0)
            return null;
        var pairsE = new long[Experts()];
        var tokens = 0L;
        foreach (var layer in Layers)
        {
            var ofLayer = layer.Layout.Mask.IsEmpty ? layer.Layout.Tokens : layer.Layout.Mask.Count(true);
            if (ofLayer == 0)
                continue;
            tokens += ofLayer;
            var plan = layer.HasChoiceBias
                ? tape.Route(layer.LogitsTE, new TokenChoice(Math.Max(1, layer.Plan.Pairs / ofLayer), normalizeWeights: false), layer.Layout)
                : layer.Plan;
            for (var expert = 0; expert < pairsE.Length; expert++)
                pairsE[expert] += plan.TokensOf(expert).Length;
        }

        return Sum(tape, layer => Term(tape, layer, pairsE, Math.Max(1, tokens)));
    }

    private Tensor Term(Tape tape, RoutedLayer layer, long[] pairsE, long tokens)
    {
        var experts = pairsE.Length;
        var factorsTE = new float[layer.Layout.Tokens * experts];
        for (var token = 0; token < layer.Layout.Tokens; token++)
        {
            if (!layer.Layout.IsToken(token))
                continue;
            for (var expert = 0; expert < experts; expert++)
                factorsTE[token * experts + expert] = (float)((double)coefficient * experts * pairsE[expert] / tokens / tokens);
        }

        return WeightedProbabilities(tape, layer, factorsTE);
    }
}
