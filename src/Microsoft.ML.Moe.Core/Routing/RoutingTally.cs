namespace Microsoft.ML.Moe.Routing;

/// <summary>Counts what is routed, over layers and batches.</summary>
internal sealed class RoutingTally : IRoutingObserver
{
    /// <summary>Tokens routed, padding left out; a token counts once in each layer.</summary>
    public long Tokens { get; private set; }

    /// <summary>Token–expert pairs.</summary>
    public long Pairs { get; private set; }

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        var layout = layer.Layout;
        Tokens += layout.Mask.IsEmpty ? layout.Tokens : layout.Mask.Count(true);
        Pairs += layer.Plan.Pairs;
    }
}
