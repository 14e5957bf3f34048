using System.Numerics;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>A parameter's gradient, taken out of it: of all its values, or of those rows of a table that have one.</summary>
internal sealed class ParameterGradient
{
    /// <summary>Rows with a gradient, rising; null where <see cref="Values"/> are those of all.</summary>
    public int[]? Rows { get; init; }

    /// <summary>For each expert of stacked weights whether it has a gradient; null for other parameters.</summary>
    public bool[]? Experts { get; init; }

    /// <summary>Number of values.</summary>
    public required int Length { get; init; }

    /// <summary>Where the values are; longer than they where they are those of rows.</summary>
    public required MemoryBlock Memory { get; init; }

    /// <summary>The gradient, row by row.</summary>
    public Span<float> Values => Memory.Span[..Length];

    /// <summary>The sum of two gradients of one parameter, either of which may be missing; made in the first where that is possible.</summary>
    /// <param name="one">The first, which is not to be used any more.</param>
    /// <param name="other">The second, which is not to be used any more.</param>
    /// <param name="buffers">Lends memory, and receives what is not needed any more.</param>
    public static ParameterGradient? Sum(ParameterGradient? one, ParameterGradient? other, GradientBuffers buffers)
    {
        if (one is null || other is null)
            return one ?? other;
        if (one.Rows is { } rows && other.Rows is { } otherRows)
        {
            if (rows.Length == 0 || otherRows.Length == 0)
                return rows.Length == 0 ? other : one;
            var merged = Merge(rows, one.Values, otherRows, other.Values, buffers);
            buffers.Return(one.Memory);
            buffers.Return(other.Memory);
            return merged;
        }

        if (one.Rows is not null || other.Rows is not null || one.Length != other.Length)
            throw new InvalidOperationException("The gradients are those of two parameters.");
        Add(one.Values, other.Values);
        if (one.Experts is { } experts && other.Experts is { } others)
            for (var expert = 0; expert < experts.Length; expert++)
                experts[expert] |= others[expert];
        buffers.Return(other.Memory);
        return one;
    }

    private static ParameterGradient Merge(int[] rows, Span<float> values, int[] otherRows, Span<float> otherValues, GradientBuffers buffers)
    {
        int[] all = [.. rows.Union(otherRows).Order()];
        var width = values.Length / rows.Length;
        var length = checked(all.Length * width);
        var merged = new ParameterGradient { Rows = all, Length = length, Memory = buffers.RentAtLeast(length) };
        var sums = merged.Values;
        var (own, other) = (0, 0);
        for (var i = 0; i < all.Length; i++)
        {
            var sum = sums.Slice(i * width, width);
            var isOwn = own < rows.Length && rows[own] == all[i];
            var isOther = other < otherRows.Length && otherRows[other] == all[i];
            var added = isOther ? otherValues.Slice(other++ * width, width) : default;
            if (!isOwn)
            {
                added.CopyTo(sum);
                continue;
            }

            values.Slice(own++ * width, width).CopyTo(sum);
            Add(sum[..added.Length], added);
        }

        return merged;
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
