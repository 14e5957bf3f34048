using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Is shown what each MoE layer routes where, in the order in which a forward pass reaches them.</summary>
internal interface IRoutingObserver
{
    /// <summary>A layer has routed a batch.</summary>
    /// <param name="block">Number of the transformer block that the layer belongs to, from 0.</param>
    /// <param name="logitsTE">[T, E] router logits; valid during the call only.</param>
    /// <param name="plan">Which token goes to which expert; never changes, so it may be kept.</param>
    /// <param name="layout">Sequences within T.</param>
    void OnRouted(int block, Tensor logitsTE, RoutingPlan plan, SequenceLayout layout);
}
