using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Texts as the ids of a published tokenizer, packed for one forward pass.</summary>
internal sealed class TokenIdBatch : Batch
{
    private ReadOnlyMemory<int> _ids;
    private ReadOnlyMemory<int> _types;
    private IReadOnlyList<EncodedText> _rows = [];

    /// <summary>Id of each of T tokens, padding included.</summary>
    public ReadOnlySpan<int> Ids => _ids.Span;

    /// <summary>Type of each token, 0 for those of the first text; empty where all are 0.</summary>
    public ReadOnlySpan<int> Types => _types.Span;

    /// <summary>The <see cref="PairCounts"/> of a row.</summary>
    public ReadOnlySpan<float> CountsOf(int row) => _rows[row].Linear is { Counts.Length: > 0 } linear
        ? linear.Counts
        : throw new InvalidOperationException("The text was encoded by the input of another model.");

    /// <summary>Makes this another batch; see the properties.</summary>
    /// <returns>This batch.</returns>
    public TokenIdBatch Reset(
        SequenceLayout layout, ReadOnlyMemory<int> ids, ReadOnlyMemory<int> types, IReadOnlyList<EncodedText>? rows = null)
    {
        (Layout, _ids, _types, _rows) = (layout, ids, types, rows ?? []);
        return this;
    }
}
