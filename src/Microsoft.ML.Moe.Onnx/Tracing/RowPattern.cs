namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>
/// What indices that were made for some rows say of any number of rows: those of row b are b·<paramref name="Stride"/> +
/// <paramref name="Places"/>. With stride 0 all rows read the same rows of a table: positions, say. Otherwise each reads its own.
/// </summary>
/// <param name="Stride">From a row's indices to the next row's, at least 0.</param>
/// <param name="Places">Indices of row 0.</param>
internal readonly record struct RowPattern(int Stride, int[] Places)
{
    /// <summary>The pattern; null where rows differ otherwise.</summary>
    /// <param name="indices">Indices of all rows, as many of each.</param>
    /// <param name="rows">Number of rows, at least 3, so that no other rule fits by chance.</param>
    public static RowPattern? Of(ReadOnlySpan<int> indices, int rows)
    {
        if (indices.Length == 0 || indices.Length % rows != 0)
            return null;
        var length = indices.Length / rows;
        var stride = indices[length] - indices[0];
        for (var i = length; i < indices.Length; i++)
        {
            if (indices[i] - indices[i - length] != stride)
                return null;
        }

        var places = indices[..length];
        if (stride < 0 || (stride > 0 && (places.ContainsAnyExceptInRange(0, stride - 1))))
            return null;
        return new RowPattern(stride, places.ToArray());
    }
}
