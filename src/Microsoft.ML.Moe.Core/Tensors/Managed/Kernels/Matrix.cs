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

    /// <summary>
    /// The first element of a matrix in bfloat16 or int8, a second factor only, which has no data else; null for one of floats. See
    /// <see cref="StoredMatrices"/>.
    /// </summary>
    public byte* Stored { get; init; }

    /// <summary>The scale of each row in memory of a matrix in int8; null for others.</summary>
    public float* Scales { get; init; }

    /// <summary>Whether the elements are in bfloat16 or int8.</summary>
    public bool IsStored => Stored != null;

    /// <summary>Whether the elements are in bfloat16.</summary>
    public bool IsBFloat16 => Stored != null && Scales == null;

    /// <summary>Where a row lies in memory.</summary>
    public float* Row(int row) => data + (rowNumbers == null ? row : rowNumbers[row]) * stride;

    /// <summary>Where a row of a matrix in bfloat16 lies in memory.</summary>
    public ushort* BFloat16Row(int row) => (ushort*)Stored + row * stride;

    /// <summary>Where a row of a matrix in int8 lies in memory.</summary>
    public sbyte* Int8Row(int row) => (sbyte*)Stored + row * stride;

    /// <summary>Part of a row in memory of a matrix that <see cref="IsStored"/>.</summary>
    /// <param name="row">The row.</param>
    /// <param name="first">Its first element.</param>
    /// <param name="values">Receives as many numbers as it has room for.</param>
    public void WidenRow(int row, int first, Span<float> values)
    {
        if (Scales == null)
            BFloat16.Widen(new ReadOnlySpan<ushort>(BFloat16Row(row) + first, values.Length), values);
        else
            Int8.Widen(new ReadOnlySpan<sbyte>(Int8Row(row) + first, values.Length), Scales[row], values);
    }
}
