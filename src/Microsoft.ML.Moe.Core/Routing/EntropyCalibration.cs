using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Collects router entropies over forward passes, to find the threshold that makes a wanted share of the tokens uncertain
/// (<see cref="EntropyUnit.ShareOfTokens"/>). Padding is left out. Keeps eight bytes for each token and layer.
/// </summary>
internal sealed class EntropyCalibration : IRoutingObserver
{
    private readonly Dictionary<int, List<double>> _entropiesByBlock = [];

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer) => Add(layer.Block, layer.LogitsTE.ToArray(), layer.LogitsTE.Columns, layer.Layout);

    /// <summary>Adds the tokens of a batch.</summary>
    /// <param name="block">Number of the block that routed them, from 0.</param>
    /// <param name="logitsTE">[T, E] router logits, row-major.</param>
    /// <param name="experts">Number of experts, E.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    public void Add(int block, ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout)
    {
        if (!_entropiesByBlock.TryGetValue(block, out var entropies))
            _entropiesByBlock.Add(block, entropies = []);
        for (var token = 0; token < layout.Tokens; token++)
            if (layout.IsToken(token))
                entropies.Add(RouterEntropy.Of(logitsTE.Slice(token * experts, experts)));
    }

    /// <summary>The threshold of a block.</summary>
    /// <param name="block">Number of the block, from 0.</param>
    /// <param name="share">Wanted share of tokens with H ≥ H*, within [0, 1].</param>
    /// <returns>
    /// H* in nats, such that the share among the collected tokens is as near to <paramref name="share"/> as equal entropies allow; of
    /// two equally near the one with fewer tokens.
    /// </returns>
    /// <exception cref="InvalidOperationException">The block has routed no token.</exception>
    public double ThresholdOf(int block, double share)
    {
        if (!(share is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(share), share, "A share lies within [0, 1].");
        if (!_entropiesByBlock.TryGetValue(block, out var entropies) || entropies.Count == 0)
            throw new InvalidOperationException($"Block {block} has routed no token yet: there is nothing to calibrate on.");
        double[] descending = [.. entropies.OrderDescending()];
        var wanted = share * descending.Length;
        var threshold = Math.BitIncrement(descending[0]);
        var distance = wanted;
        for (var count = 1; count <= descending.Length; count++)
        {
            var isLastOfEquals = count == descending.Length || descending[count] < descending[count - 1];
            if (!isLastOfEquals || Math.Abs(count - wanted) >= distance)
                continue;
            threshold = descending[count - 1];
            distance = Math.Abs(count - wanted);
        }

        return threshold;
    }
}
