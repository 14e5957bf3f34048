namespace Microsoft.ML.Moe.Routing;

/// <summary>Measures the routers' entropy row by row.</summary>
/// <param name="rows">Number of rows that will be scored.</param>
internal sealed class RowEntropyObserver(int rows) : IRoutingObserver
{
    private readonly PassRows _pass = new();
    private readonly double[] _sums = new double[rows];
    private readonly double[] _largest = [.. Enumerable.Repeat(double.NegativeInfinity, rows)];
    private readonly long[] _counts = new long[rows];

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        var (layout, experts) = (layer.Layout, layer.Plan.Experts);
        var logitsTE = layer.LogitsTE.ToArray();
        var start = _pass.StartOf(layer);
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var row = start + sequence / layout.SequencesOfRow;
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (!layout.IsToken(token))
                    continue;
                var entropy = RouterEntropy.Of(logitsTE.AsSpan(token * experts, experts));
                _sums[row] += entropy;
                _largest[row] = Math.Max(_largest[row], entropy);
                _counts[row]++;
            }
        }
    }

    /// <summary>Writes what was measured.</summary>
    public void CopyTo(Span<RowEntropy> entropies)
    {
        // every row has its start token
        for (var row = 0; row < rows; row++)
            entropies[row] = new RowEntropy((float)(_sums[row] / _counts[row]), (float)_largest[row]);
    }
}

/// <summary>
/// How unsure a model's routers are about a row: the router entropy H = −Σ p·ln(p + 1e-5) over the row's tokens and all MoE layers.
/// </summary>
/// <param name="Mean">The mean, in nats, within about [0, ln N].</param>
/// <param name="Max">The largest, in nats.</param>
public readonly record struct RowEntropy(float Mean, float Max);
