using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// Soft MoE (Puigcerver et al. 2023, arXiv 2308.00951, section 2): no token is sent to an expert, but every expert has slots, each a mean of
/// all tokens of a sequence, and every token becomes a mean of all slots' outputs:
/// <code>
/// l = X·Φ                                  [T, S], S = experts · slots of each
/// slot s  = Σ over tokens softmax over tokens(l)[t, s]·x_t
/// y_t     = Σ over slots softmax over slots(l)[t, s]·E_{s div p}(slot s)
/// </code>
/// Not causal: every slot sees all tokens. Padding is in no slot.
/// </summary>
internal sealed class SoftMoeLayer : IFeedForward
{
    private static readonly AttentionSpec Mean = new(1) { Scale = 1f };

    private readonly Parameter _slotsDS;
    private readonly Experts _experts;
    private readonly int _slotsOfExpert;

    /// <summary>Creates the layer.</summary>
    /// <param name="store">Makes the parameters.</param>
    /// <param name="name">Name that theirs begin with.</param>
    /// <param name="width">D.</param>
    /// <param name="experts">The experts, of that width.</param>
    /// <param name="slotsPerExpert">p, slots of each expert, at least 1.</param>
    public SoftMoeLayer(ParameterStore store, string name, int width, Experts experts, int slotsPerExpert)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slotsPerExpert, 1);
        (_experts, _slotsOfExpert) = (experts, slotsPerExpert);
        _slotsDS = store.Normal(
            name + ".router.weight", ParameterRole.Router, 1f / MathF.Sqrt(width), width, experts.Count * slotsPerExpert);
    }

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var (tape, layout) = (context.Tape, context.Layout);
        var (sequences, slots) = (layout.Sequences, _experts.Count * _slotsOfExpert);
        var logitsTS = tape.RouterLogits(xTD, _slotsDS);
        var slotLayout = new SequenceLayout([.. Enumerable.Range(0, sequences + 1).Select(sequence => sequence * slots)]);
        // a softmax over the logits' columns, and over their rows: products with unit vectors
        var unitsSS = tape.Constant(Units(sequences, slots), sequences * slots, slots);
        var slotsSD = tape.Attention(unitsSS, logitsTS, xTD, Mean, slotLayout, layout);
        var plan = PlanOf(sequences);
        var ones = tape.Constant([.. Enumerable.Repeat(1f, plan.Pairs)], plan.Pairs);
        var outputsSD = tape.GroupedExperts(slotsSD, ones, plan, _experts);
        return tape.Attention(logitsTS, unitsSS, outputsSD, Mean, layout, slotLayout);
    }

    private RoutingPlan PlanOf(int sequences)
    {
        var (experts, slots) = (_experts.Count, _experts.Count * _slotsOfExpert);
        int[] offsets = [.. Enumerable.Range(0, experts + 1).Select(expert => expert * sequences * _slotsOfExpert)];
        var rows = new int[sequences * slots];
        for (var i = 0; i < rows.Length; i++)
        {
            var (expert, place) = Math.DivRem(i, sequences * _slotsOfExpert);
            var (sequence, slot) = Math.DivRem(place, _slotsOfExpert);
            rows[i] = sequence * slots + expert * _slotsOfExpert + slot;
        }

        return new RoutingPlan(rows.Length, offsets, rows, new CombineRule(0f, WeightNormalization.None));
    }

    private static float[] Units(int sequences, int slots)
    {
        var units = new float[checked(sequences * slots * slots)];
        for (var row = 0; row < sequences * slots; row++)
            units[row * slots + row % slots] = 1f;
        return units;
    }
}
