using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>What the MoE layers of a stack of blocks add to the loss together, told once all have routed.</summary>
/// <param name="next">Is shown everything too; null for none.</param>
internal abstract class LayersLoss(IRoutingObserver? next) : IRoutingObserver
{
    private readonly List<RoutedLayer> _layers = [];

    /// <summary>What was routed, in the order of the layers.</summary>
    protected IReadOnlyList<RoutedLayer> Layers => _layers;

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        _layers.Add(layer);
        next?.OnRouted(layer);
    }

    /// <inheritdoc/>
    public void OnAttentionRouted(RoutedLayer layer)
    {
        _layers.Add(layer);
        next?.OnAttentionRouted(layer);
    }

    /// <summary>The loss times its coefficient, one element; null where nothing was routed.</summary>
    /// <exception cref="InvalidOperationException">The layers have not all as many experts.</exception>
    public abstract Tensor? Loss(Tape tape);

    /// <summary>Number of experts of all layers, of which there is one at least.</summary>
    private protected int Experts()
    {
        var experts = _layers[0].Plan.Experts;
        foreach (var layer in _layers)
            if (layer.Plan.Experts != experts)
                throw new InvalidOperationException($"A layer has {layer.Plan.Experts} experts where another has {experts}.");
        return experts;
    }

    /// <summary>Σ over a layer's tokens and experts of a factor times the probability softmax(logits).</summary>
    private protected static Tensor WeightedProbabilities(Tape tape, RoutedLayer layer, ReadOnlySpan<float> factorsTE)
    {
        // by way of a mean over all entries
        var scaledTE = new float[factorsTE.Length];
        for (var i = 0; i < scaledTE.Length; i++)
            scaledTE[i] = factorsTE[i] * scaledTE.Length;
        return tape.Mean(tape.Multiply(
            tape.Softmax(layer.LogitsTE), tape.Constant(scaledTE, layer.LogitsTE.Shape[0], layer.LogitsTE.Columns)));
    }

    /// <summary>The sum of one term of each layer that has tokens; null where none has.</summary>
    private protected Tensor? Sum(Tape tape, Func<RoutedLayer, Tensor> term)
    {
        Tensor? sum = null;
        foreach (var layer in _layers)
        {
            if (layer.Layout.Tokens > 0)
                sum = sum is null ? term(layer) : tape.Add(sum, term(layer));
        }

        return sum;
    }
}
