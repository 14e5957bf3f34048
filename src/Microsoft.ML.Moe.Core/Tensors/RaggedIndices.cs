namespace Microsoft.ML.Moe.Tensors;

/// <summary>Bags of weighted table rows: bag i is Σ weights[j]·table[indices[j]] over j in [offsets[i], offsets[i+1]).</summary>
public sealed class RaggedIndices
{
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
        Offsets = offsets;
        Indices = indices;
        Weights = weights;
    }

    /// <summary>Number of bags.</summary>
    public int Count => Offsets.Length - 1;

    /// <summary>Start of each bag and, last, the number of indices.</summary>
    internal int[] Offsets { get; }

    /// <summary>Table rows.</summary>
    internal int[] Indices { get; }

    /// <summary>One weight for each index.</summary>
    internal float[] Weights { get; }
}
