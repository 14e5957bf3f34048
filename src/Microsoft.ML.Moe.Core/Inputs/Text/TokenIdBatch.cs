using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Texts as the ids of a published tokenizer, packed for one forward pass.</summary>
internal sealed class TokenIdBatch : Batch
{
    private ReadOnlyMemory<int> _ids;
    private ReadOnlyMemory<int> _types;

    /// <summary>Id of each of T tokens, padding included.</summary>
    public ReadOnlySpan<int> Ids => _ids.Span;

    /// <summary>Type of each token, 0 for those of the first text; empty where all are 0.</summary>
    public ReadOnlySpan<int> Types => _types.Span;

    /// <summary>Makes this another batch; see the properties.</summary>
    /// <returns>This batch.</returns>
    public TokenIdBatch Reset(SequenceLayout layout, ReadOnlyMemory<int> ids, ReadOnlyMemory<int> types)
    {
        (Layout, _ids, _types) = (layout, ids, types);
        return this;
    }
}
