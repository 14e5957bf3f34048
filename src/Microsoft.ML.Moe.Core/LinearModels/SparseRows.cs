namespace Microsoft.ML.Moe.LinearModels;

/// <summary>A matrix of which most values are 0, row after row.</summary>
/// <param name="columns">Number of columns.</param>
/// <param name="offsets">Where each row begins in the other two, and, last, where they end.</param>
/// <param name="indices">Column of each value; for rows without zeros, see <see cref="Dense"/>, of the values of any row.</param>
/// <param name="values">The values.</param>
internal sealed class SparseRows(int columns, int[] offsets, int[] indices, float[] values)
{
    private bool _isDense;

    /// <summary>A matrix of which all values are given: whatever works on sparse rows works on these.</summary>
    /// <param name="columns">Number of columns.</param>
    /// <param name="values">The values, row after row; not copied.</param>
    public static SparseRows Dense(int columns, float[] values) => new(
        columns,
        [.. Enumerable.Range(0, values.Length / columns + 1).Select(row => row * columns)],
        [.. Enumerable.Range(0, columns)],
        values) { _isDense = true };

    /// <summary>Number of columns.</summary>
    public int Columns { get; } = columns;

    /// <summary>Number of rows.</summary>
    public int Count => offsets.Length - 1;

    /// <summary>Number of values.</summary>
    public int Values => offsets[^1];

    /// <summary>Where each row begins, and, last, where they end.</summary>
    public ReadOnlySpan<int> Offsets => offsets;

    /// <summary>Columns of a row's values.</summary>
    public ReadOnlySpan<int> IndicesOf(int row) => _isDense ? indices : indices.AsSpan(offsets[row]..offsets[row + 1]);

    /// <summary>Values of a row.</summary>
    public ReadOnlySpan<float> ValuesOf(int row) => values.AsSpan(offsets[row]..offsets[row + 1]);

    /// <summary>Rows of these, in the order given.</summary>
    public SparseRows Select(IReadOnlyList<int> rows)
    {
        if (_isDense)
            return SelectDense(rows);
        var selected = new int[rows.Count + 1];
        for (var i = 0; i < rows.Count; i++)
            selected[i + 1] = selected[i] + offsets[rows[i] + 1] - offsets[rows[i]];
        var (newIndices, newValues) = (new int[selected[^1]], new float[selected[^1]]);
        for (var i = 0; i < rows.Count; i++)
        {
            IndicesOf(rows[i]).CopyTo(newIndices.AsSpan(selected[i]));
            ValuesOf(rows[i]).CopyTo(newValues.AsSpan(selected[i]));
        }

        return new SparseRows(Columns, selected, newIndices, newValues);
    }

    /// <summary>Columns as rows; within each the values in the order of the rows.</summary>
    public SparseRows Transpose()
    {
        if (_isDense)
            return TransposeDense();
        var starts = new int[Columns + 1];
        foreach (var column in indices.AsSpan(0, Values))
            starts[column + 1]++;
        for (var c = 0; c < Columns; c++)
            starts[c + 1] += starts[c];
        var next = starts[..^1];
        var (rows, moved) = (new int[Values], new float[Values]);
        for (var row = 0; row < Count; row++)
            for (var i = offsets[row]; i < offsets[row + 1]; i++)
            {
                var place = next[indices[i]]++;
                (rows[place], moved[place]) = (row, values[i]);
            }

        return new SparseRows(Count, starts, rows, moved);
    }

    private SparseRows SelectDense(IReadOnlyList<int> rows)
    {
        var selected = new float[rows.Count * Columns];
        for (var i = 0; i < rows.Count; i++)
            ValuesOf(rows[i]).CopyTo(selected.AsSpan(i * Columns));
        return Dense(Columns, selected);
    }

    private SparseRows TransposeDense()
    {
        const int Block = 32;
        var moved = new float[Values];
        for (var firstRow = 0; firstRow < Count; firstRow += Block)
            for (var firstColumn = 0; firstColumn < Columns; firstColumn += Block)
                for (var row = firstRow; row < Math.Min(Count, firstRow + Block); row++)
                    for (var column = firstColumn; column < Math.Min(Columns, firstColumn + Block); column++)
                        moved[column * Count + row] = values[row * Columns + column];
        return Dense(Count, moved);
    }
}
