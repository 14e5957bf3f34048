using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The losses of a stack of published Switch Transformers, in which a sequence's tokens of all MoE layers count together (transformers,
/// <c>load_balancing_loss_func</c> and <c>router_z_loss_func</c> of Switch Transformers):
/// <code>
/// balancing = N²·mean over sequences and experts of f·P
/// z         = mean over all tokens of logsumexp(logits)²
/// </code>
/// with f the share of a sequence's tokens whose largest logit is the expert's, which has no gradient, and P the mean of its probability.
/// </summary>
/// <param name="next">Is shown everything too; null for none.</param>
/// <param name="balancing">Coefficient of the load-balancing loss.</param>
/// <param name="z">Coefficient of the z-loss.</param>
/// <param name="countsPadding">Whether padding counts.</param>
/// <param name="capacity">
/// Tokens of a sequence beyond which those of an expert count as expert 0's, as dropped ones do in transformers up to 4.57; null, the default,
/// counts each for the expert that it would have had.
/// </param>
internal sealed class SwitchLosses(
    IRoutingObserver? next, float balancing, float z, bool countsPadding, int? capacity = null) : LayersLoss(next)
{
    /// <inheritdoc/>
    public override Tensor? Loss(Tape tape)
    {
        var loss = balancing > 0f && Balancing(tape) is { } balance ? tape.Scale(balance, balancing) : null;
        if (z <= 0f || Z(tape) is not { } zLoss)
            return loss;
        zLoss = tape.Scale(zLoss, z);
        return loss is null ? zLoss : tape.Add(loss, zLoss);
    }

    /// <summary>The load-balancing loss without its coefficient; null where nothing was routed.</summary>
    public Tensor? Balancing(Tape tape)
    {
        if (Layers.Count == 0)
            return null;
        var experts = Experts();
        var sequences = Layers[0].Layout.Sequences;
        var countsBE = new long[sequences * experts];
        var tokensB = new long[sequences];
        foreach (var layer in Layers)
            Count(layer, experts, countsBE, tokensB);
        var counted = Math.Max(1, tokensB.Count(tokens => tokens > 0));
        return Sum(tape, layer =>
        {
            var factorsTE = new float[layer.Layout.Tokens * experts];
            ForEachToken(layer, (sequence, token) =>
            {
                for (var expert = 0; expert < experts; expert++)
                {
                    factorsTE[token * experts + expert] = (float)(
                        (double)experts * countsBE[sequence * experts + expert] / tokensB[sequence] / tokensB[sequence] / counted);
                }
            });
            return WeightedProbabilities(tape, layer, factorsTE);
        });
    }

    /// <summary>The z-loss without its coefficient; null where nothing was routed.</summary>
    public Tensor? Z(Tape tape)
    {
        // all layers have the same tokens: the mean over all is the mean of the layers' means
        var sum = Sum(tape, layer => tape.RouterZLoss(layer.LogitsTE, Counted(layer.Layout)));
        return sum is null ? null : tape.Scale(sum, 1f / Layers.Count);
    }

    private void Count(RoutedLayer layer, int experts, long[] countsBE, long[] tokensB)
    {
        var logitsTE = layer.LogitsTE.ToArray();
        var comeBE = new int[countsBE.Length];
        ForEachToken(layer, (sequence, token) =>
        {
            var first = LoadBalancingLoss.FirstChoice(logitsTE.AsSpan(token * experts, experts));
            if (++comeBE[sequence * experts + first] > capacity)
                first = 0;
            countsBE[sequence * experts + first]++;
            tokensB[sequence]++;
        });
    }

    private void ForEachToken(RoutedLayer layer, Action<int, int> visit)
    {
        var layout = layer.Layout;
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
                if (countsPadding || layout.IsToken(token))
                    visit(sequence, token);
    }

    private SequenceLayout Counted(SequenceLayout layout) =>
        countsPadding && !layout.Mask.IsEmpty ? new SequenceLayout(layout.Offsets.ToArray()) : layout;
}
