namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Experts' stacked matrices as second factors of products: one for each expert, of equal size.</summary>
/// <param name="kernels">Inner loops.</param>
/// <param name="weights">The matrices.</param>
/// <param name="columns">Columns of a factor.</param>
/// <param name="depth">Rows of a factor.</param>
/// <param name="isTransposed">Whether a factor is the transpose of what lies there.</param>
/// <param name="packed">Where each expert's factor is packed to, 0 where it is read where it lies; null with <paramref name="kept"/>.</param>
/// <param name="kept">What the parameter keeps packed; null where it keeps nothing.</param>
internal readonly unsafe struct ExpertFactors(
    Kernels kernels, ManagedTensor weights, int columns, int depth, bool isTransposed, float** packed, PackedMatrices? kept)
{
    /// <summary>Panels of each factor; none by default.</summary>
    public int Panels => kernels is null ? 0 : SecondFactor.PanelsOf(kernels, columns);

    /// <summary>Floats of each factor.</summary>
    public long Length => (long)columns * depth;

    /// <summary>The factor of an expert.</summary>
    public SecondFactor this[int expert]
    {
        get
        {
            if (kept is not null)
                return kept[expert];
            var matrix = weights.Matrix(expert, isTransposed);
            return new SecondFactor(kernels, matrix, columns, depth, packed[expert]);
        }
    }

    /// <summary>Whether any of the experts' factors has to be packed before the product.</summary>
    /// <param name="experts">Number of experts.</param>
    public bool NeedPacking(int experts)
    {
        for (var expert = 0; packed != null && expert < experts; expert++)
        {
            if (packed[expert] != null)
                return true;
        }

        return false;
    }
}
