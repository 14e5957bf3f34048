namespace Microsoft.ML.Moe.LinearModels;

/// <summary>A matrix of which most values are 0, row after row.</summary>
/// <param name="columns">Number of columns.</param>
/// <param name="offsets">Where each row begins in the other two, and, last, where they end.</param>
/// <param name="indices">Column of each value.</param>
/// <param name="values">The values.</param>
internal sealed class SparseRows(int columns, int[] offsets, int[] indices, float[] values)
{
    /// <summary>Number of columns.</summary>
    public int Columns { get; } = columns;

    /// <summary>Number of rows.</summary>
    public int Count => offsets.Length - 1;

    /// <summary>Number of values.</summary>
    public int Values => offsets[^1];

    /// <summary>Where each row begins, and, last, where they end.</summary>
    public ReadOnlySpan<int> Offsets => offsets;

    /// <summary>Columns of a row's values.</summary>
    public ReadOnlySpan<int> IndicesOf(int row) => indices.AsSpan(offsets[row]..offsets[row + 1]);

    /// <summary>Values of a row.</summary>
    public ReadOnlySpan<float> ValuesOf(int row) => values.AsSpan(offsets[row]..offsets[row + 1]);

    /// <summary>Rows of these, in the order given.</summary>
    public SparseRows Select(IReadOnlyList<int> rows)
    {
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
}
