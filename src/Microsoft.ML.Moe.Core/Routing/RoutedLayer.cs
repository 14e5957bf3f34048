using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>What a MoE layer has routed where. The tensors live as long as the tape: an observer copies what it keeps.</summary>
/// <param name="Block">Number of the transformer block that the layer belongs to, from 0.</param>
/// <param name="Tape">The pass under way; an observer may run operations of its own on it.</param>
/// <param name="XTD">[T, D] the layer's input.</param>
/// <param name="LogitsTE">[T, E] router logits.</param>
/// <param name="Plan">
/// Which token goes to which expert; never changes. It may be kept once its pairs have been asked for (<see cref="RoutingPlan"/>).
/// </param>
/// <param name="Layout">Sequences within T.</param>
/// <param name="Experts">The layer's experts.</param>
internal readonly record struct RoutedLayer(
    int Block, Tape Tape, Tensor XTD, Tensor LogitsTE, RoutingPlan Plan, SequenceLayout Layout, Experts Experts);
