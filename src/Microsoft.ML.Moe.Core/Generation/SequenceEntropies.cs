using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Mean router entropy of sequences that a model is writing, over all tokens that it has seen and all MoE layers.</summary>
/// <param name="prompts">Number of prompts.</param>
/// <param name="copies">Sequences of a prompt, which stand one after the other.</param>
internal sealed class SequenceEntropies(int prompts, int copies) : IRoutingObserver
{
    private readonly double[] _sums = new double[prompts];
    private readonly long[] _counts = new long[prompts];

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        var (layout, experts) = (layer.Layout, layer.Plan.Experts);
        var logitsTE = layer.LogitsTE.ToArray();
        // an encoder reads each prompt once, whatever the copies
        var perPrompt = layout.Sequences == prompts ? 1 : copies;
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (!layout.IsToken(token))
                    continue;
                _sums[sequence / perPrompt] += RouterEntropy.Of(logitsTE.AsSpan(token * experts, experts));
                _counts[sequence / perPrompt]++;
            }
        }
    }

    /// <summary>Mean of a prompt's sequences, in nats; NaN where nothing was routed.</summary>
    public double MeanOf(int prompt) => _sums[prompt] / _counts[prompt];
}
