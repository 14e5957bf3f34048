using System.Numerics;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>A parameter's gradient, taken out of it: of all its values, or of those rows of a table that have one.</summary>
internal sealed class ParameterGradient
{
    /// <summary>Rows with a gradient, rising; null where <see cref="Values"/> are those of all.</summary>
    public int[]? Rows { get; init; }

    /// <summary>The gradient, row by row.</summary>
    public required float[] Values { get; init; }

    /// <summary>For each expert of stacked weights whether it has a gradient; null for other parameters.</summary>
    public bool[]? Experts { get; init; }

    /// <summary>The sum of two gradients of one parameter, either of which may be missing; made in the first where that is possible.</summary>
    public static ParameterGradient? Sum(ParameterGradient? one, ParameterGradient? other)
    {
        if (one is null || other is null)
            return one ?? other;
        if (one.Rows is { } rows && other.Rows is { } otherRows)
            return Merge(rows, one.Values, otherRows, other.Values);
        if (one.Rows is not null || other.Rows is not null || one.Values.Length != other.Values.Length)
            throw new InvalidOperationException("The gradients are those of two parameters.");
        Add(one.Values, other.Values);
        if (one.Experts is { } experts && other.Experts is { } others)
            for (var expert = 0; expert < experts.Length; expert++)
                experts[expert] |= others[expert];
        return one;
    }

    private static ParameterGradient Merge(int[] rows, float[] values, int[] otherRows, float[] otherValues)
    {
        if (rows.Length == 0 || otherRows.Length == 0)
            return rows.Length == 0 ? new ParameterGradient { Rows = otherRows, Values = otherValues } : new ParameterGradient { Rows = rows, Values = values };
        var width = values.Length / rows.Length;
        var (all, sums, count) = (new int[rows.Length + otherRows.Length], new float[values.Length + otherValues.Length], 0);
        for (var (i, j) = (0, 0); i < rows.Length || j < otherRows.Length; count++)
        {
            var sum = sums.AsSpan(count * width, width);
            var (row, otherRow) = (i < rows.Length ? rows[i] : int.MaxValue, j < otherRows.Length ? otherRows[j] : int.MaxValue);
            all[count] = Math.Min(row, otherRow);
            if (row <= otherRow)
                values.AsSpan(i++ * width, width).CopyTo(sum);
            if (otherRow < row)
                otherValues.AsSpan(j++ * width, width).CopyTo(sum);
            else if (row == otherRow)
                Add(sum, otherValues.AsSpan(j++ * width, width));
        }

        return new ParameterGradient { Rows = all[..count], Values = sums[..(count * width)] };
    }

    private static void Add(Span<float> sum, ReadOnlySpan<float> values)
    {
        var i = 0;
        for (; i <= sum.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(sum[i..]) + new Vector<float>(values[i..])).CopyTo(sum[i..]);
        for (; i < sum.Length; i++)
            sum[i] += values[i];
    }
}
