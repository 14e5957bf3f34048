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
    int Block, Tape Tape, Tensor XTD, Tensor LogitsTE, RoutingPlan Plan, SequenceLayout Layout, Experts Experts)
{
    /// <summary>Whether the experts were chosen with a bias beside their scores.</summary>
    public bool HasChoiceBias { get; init; }
}

/// <summary>Is shown what each MoE layer routes where, in the order in which a forward pass reaches them.</summary>
internal interface IRoutingObserver
{
    /// <summary>A layer has routed a batch.</summary>
    /// <param name="layer">The layer, its input and its plan.</param>
    void OnRouted(RoutedLayer layer);

    /// <summary>
    /// A mixture in an attention layer has routed a batch (JetMoE): an expert's first matrix gives queries, the second takes what they
    /// attend to. Most observers look at MoE layers alone.
    /// </summary>
    /// <param name="layer">The layer, its input and its plan.</param>
    void OnAttentionRouted(RoutedLayer layer)
    {
    }
}

/// <summary>Exchanges policies for one forward pass, as training with a global workspace does.</summary>
/// <param name="block">Number of the transformer block, from 0.</param>
/// <param name="own">The model's own policy there.</param>
/// <returns>The policy to use.</returns>
internal delegate RoutingPolicy PolicySelector(int block, RoutingPolicy own);

/// <summary>Counts what is routed, over layers and batches.</summary>
/// <param name="next">Is shown everything too; null for none.</param>
internal sealed class RoutingTally(IRoutingObserver? next = null) : IRoutingObserver
{
    /// <summary>Tokens routed, padding left out; a token counts once in each layer.</summary>
    public long Tokens { get; private set; }

    /// <summary>Token–expert pairs.</summary>
    public long Pairs { get; private set; }

    /// <summary>Experts that a token was sent to, the mean over tokens and layers; 0 where nothing was routed.</summary>
    public double ExpertsPerToken => Share.Of(Pairs, Tokens);

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        var layout = layer.Layout;
        Tokens += layout.Mask.IsEmpty ? layout.Tokens : layout.Mask.Count(true);
        Pairs += layer.Plan.Pairs;
        next?.OnRouted(layer);
    }
}
