using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Turns router logits into a plan. Policies hold no weights: they can be swapped on a trained model.</summary>
public abstract class RoutingPolicy
{
    /// <summary>
    /// Whether each sequence is routed as if it were alone, so that an engine may route several at once. Default false.
    /// </summary>
    public virtual bool RoutesSequencesApart => false;

    /// <summary>Chooses experts. May be called from several threads at once.</summary>
    /// <param name="logitsTE">[T, E] router logits, row-major.</param>
    /// <param name="experts">Number of experts, E, at least 1.</param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="training">Whether the plan is for training (GW-MoE broadcasts then).</param>
    /// <exception cref="ArgumentException">The logits are not T·E numbers, or the policy does not fit E experts.</exception>
    public abstract RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training);
}
