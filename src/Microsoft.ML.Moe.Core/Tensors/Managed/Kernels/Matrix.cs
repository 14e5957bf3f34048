namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A matrix to multiply: a view of rows in memory, possibly a selection of them, possibly transposed.</summary>
/// <param name="data">The first element.</param>
/// <param name="stride">Distance of the rows in memory.</param>
/// <param name="isTransposed">Whether the matrix is the transpose of what lies in memory.</param>
/// <param name="rowNumbers">Which rows in memory make up the matrix (a first factor only); null for all, in order.</param>
internal readonly unsafe struct Matrix(float* data, nint stride, bool isTransposed = false, int* rowNumbers = null)
{
    /// <summary>Whether the matrix is the transpose of what lies in memory.</summary>
    public bool IsTransposed => isTransposed;

    /// <summary>Distance of the rows in memory.</summary>
    public nint Stride => stride;

    /// <summary>The first element of a matrix in bfloat16, a second factor only, which has no data else; null for one of floats.</summary>
    public ushort* BFloat16 { get; init; }

    /// <summary>Where a row of a matrix in bfloat16 lies in memory.</summary>
    public ushort* BFloat16Row(int row) => BFloat16 + row * stride;

    /// <summary>Where a row lies in memory.</summary>
    public float* Row(int row) => data + (rowNumbers == null ? row : rowNumbers[row]) * stride;
}
