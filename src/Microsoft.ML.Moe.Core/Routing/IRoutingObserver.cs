namespace Microsoft.ML.Moe.Routing;

/// <summary>Is shown what each MoE layer routes where, in the order in which a forward pass reaches them.</summary>
internal interface IRoutingObserver
{
    /// <summary>A layer has routed a batch.</summary>
    /// <param name="layer">The layer, its input and its plan.</param>
    void OnRouted(RoutedLayer layer);
}
