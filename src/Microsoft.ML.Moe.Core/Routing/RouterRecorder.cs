using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Keeps the router logits of a pass, as long as its tape lives, and shows everything to another observer.</summary>
/// <param name="next">The other observer; null for none.</param>
internal sealed class RouterRecorder(IRoutingObserver? next) : IRoutingObserver
{
    private readonly List<Tensor> _logits = [];

    /// <summary>Logits of each router, [T, E], in the order in which a pass reaches them.</summary>
    public IReadOnlyList<Tensor> Logits => _logits;

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        _logits.Add(layer.LogitsTE);
        next?.OnRouted(layer);
    }

    /// <inheritdoc/>
    public void OnAttentionRouted(RoutedLayer layer)
    {
        _logits.Add(layer.LogitsTE);
        next?.OnAttentionRouted(layer);
    }
}
