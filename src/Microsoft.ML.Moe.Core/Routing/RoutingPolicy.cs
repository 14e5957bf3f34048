using System.Buffers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Turns router logits into a plan. Policies hold no weights: they can be swapped on a trained model.</summary>
public abstract class RoutingPolicy
{
    /// <summary>
    /// Whether each sequence is routed as if it were alone, so that an engine may route several at once. Default false.
    /// </summary>
    public virtual bool RoutesSequencesApart => false;

    /// <summary>Whether padding takes no part in the choice.</summary>
    internal virtual bool MasksPadding => true;

    /// <summary>Chooses experts. May be called from several threads at once.</summary>
    /// <param name="logitsTE">[T, E] router logits, row-major.</param>
    /// <param name="experts">Number of experts, E, at least 1.</param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="training">Whether the plan is for training (GW-MoE broadcasts then).</param>
    /// <exception cref="ArgumentException">The logits are not T·E numbers, or the policy does not fit E experts.</exception>
    public abstract RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training);

    /// <summary>
    /// Chooses experts in memory of the caller's. The policies of this library choose here and leave nothing to the garbage collector;
    /// of any other the plan is made and copied.
    /// </summary>
    /// <param name="logitsTE">[T, E] router logits, row-major.</param>
    /// <param name="choiceBiasE">
    /// What a layer adds to each expert's score for the choice, not for the weight; empty for nothing. Only Token Choice looks at it.
    /// </param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="training">Whether the plan is for training.</param>
    /// <param name="pairs">T×E, no pair yet; takes the pairs.</param>
    /// <param name="scratch">Memory for the policy's own use.</param>
    internal virtual PlanTerms Choose(
        ReadOnlySpan<float> logitsTE,
        ReadOnlySpan<float> choiceBiasE,
        SequenceLayout layout,
        bool training,
        PairMatrix pairs,
        RoutingScratch scratch) => pairs.Take(Route(logitsTE, pairs.Experts, layout, training));

    /// <summary>
    /// The policy for tokens that go on where those of a history end. Where choices depend on earlier tokens, what it routes is added to the
    /// history, each token once; else it is this policy.
    /// </summary>
    /// <param name="history">What the layer's router has seen of the sequences.</param>
    internal virtual RoutingPolicy After(RoutingHistory history) => this;

    /// <summary>Bytes that <see cref="Choose"/> has to be lent.</summary>
    /// <param name="tokens">Number of tokens, T.</param>
    /// <param name="experts">Number of experts, E.</param>
    internal virtual int ScratchBytes(int tokens, int experts) => 0;

    /// <summary><see cref="Route"/> of logits with a bias for the choice.</summary>
    internal RoutingPlan PlanOf(
        ReadOnlySpan<float> logitsTE, ReadOnlySpan<float> choiceBiasE, int experts, SequenceLayout layout, bool training) =>
        choiceBiasE.IsEmpty
            ? Route(logitsTE, experts, layout, training)
            : PlanOfChosen(logitsTE, choiceBiasE, experts, layout, training);

    /// <summary><see cref="Route"/> by way of <see cref="Choose"/>.</summary>
    private protected RoutingPlan PlanOfChosen(
        ReadOnlySpan<float> logitsTE, ReadOnlySpan<float> choiceBiasE, int experts, SequenceLayout layout, bool training)
    {
        ArgumentNullException.ThrowIfNull(layout);
        var memory = ArrayPool<bool>.Shared.Rent(PairMatrix.LengthOf(layout.Tokens, experts));
        var scratch = ArrayPool<byte>.Shared.Rent(ScratchBytes(layout.Tokens, experts));
        var pairs = new PairMatrix(memory, layout.Tokens, experts);
        var plan = pairs.ToPlan(Choose(logitsTE, choiceBiasE, layout, training, pairs, new RoutingScratch(scratch)), new RoutingPlan());
        ArrayPool<byte>.Shared.Return(scratch);
        ArrayPool<bool>.Shared.Return(memory);
        return plan;
    }
}
