namespace Microsoft.ML.Moe.Tensors;

/// <summary>Bags of weighted table rows: bag i is Σ weights[j]·table[indices[j]] over j in [offsets[i], offsets[i+1]).</summary>
public sealed class RaggedIndices
{
    private ReadOnlyMemory<int> _offsets;
    private ReadOnlyMemory<int> _indices;
    private ReadOnlyMemory<float> _weights;

    /// <summary>Creates the bags.</summary>
    /// <param name="offsets">Start of each bag and, last, the number of indices; starts at 0, never falls.</param>
    /// <param name="indices">Table rows; may repeat.</param>
    /// <param name="weights">One weight for each index.</param>
    /// <exception cref="ArgumentException">The arrays disagree in length.</exception>
    public RaggedIndices(int[] offsets, int[] indices, float[] weights)
    {
        ArgumentNullException.ThrowIfNull(offsets);
        ArgumentNullException.ThrowIfNull(indices);
        ArgumentNullException.ThrowIfNull(weights);
        if (offsets.Length == 0 || offsets[0] != 0 || offsets[^1] != indices.Length)
            throw new ArgumentException("Offsets go from 0 to the number of indices.", nameof(offsets));
        if (weights.Length != indices.Length)
            throw new ArgumentException("One weight for each index.", nameof(weights));
        _offsets = offsets;
        _indices = indices;
        _weights = weights;
    }

    /// <summary>Creates no bags, which have still to <see cref="Reset"/> some.</summary>
    internal RaggedIndices() => _offsets = new int[1];

    /// <summary>Makes these the bags in memory that belongs to another, who leaves it alone until no operation needs them any more.</summary>
    internal void Reset(ReadOnlyMemory<int> offsets, ReadOnlyMemory<int> indices, ReadOnlyMemory<float> weights) =>
        (_offsets, _indices, _weights) = (offsets, indices, weights);

    /// <summary>Number of bags.</summary>
    public int Count => _offsets.Length - 1;

    /// <summary>Number of indices in all bags.</summary>
    internal int Entries => _indices.Length;

    /// <summary>Start of each bag and, last, the number of indices.</summary>
    internal ReadOnlySpan<int> Offsets => _offsets.Span;

    /// <summary>Table rows.</summary>
    internal ReadOnlySpan<int> Indices => _indices.Span;

    /// <summary>One weight for each index.</summary>
    internal ReadOnlySpan<float> Weights => _weights.Span;
}
