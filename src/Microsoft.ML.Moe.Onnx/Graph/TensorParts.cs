using System.Buffers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>
/// The numbers of a tensor for a constant, a part at a time. A part's memory is the next one's: it is to be used before that is asked for.
/// </summary>
internal static class TensorParts
{
    /// <summary>Numbers of a part at most: 4 MB.</summary>
    public const int Most = 1 << 20;

    /// <summary>All of a tensor, row-major.</summary>
    public static IEnumerable<ReadOnlyMemory<float>> Of(Tensor tensor) => Of(tensor, 0, tensor.Length);

    /// <summary>Some of a tensor, row-major: an expert's part of a stack.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="first">Number of the first value.</param>
    /// <param name="count">How many.</param>
    public static IEnumerable<ReadOnlyMemory<float>> Of(Tensor tensor, int first, int count)
    {
        var memory = ArrayPool<float>.Shared.Rent(Math.Min(count, Most));
        try
        {
            for (var done = 0; done < count;)
            {
                var part = memory.AsMemory(0, Math.Min(Most, count - done));
                tensor.CopyTo(first + done, part.Span);
                yield return part;
                done += part.Length;
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(memory);
        }
    }

    /// <summary>Stacked matrices [E, I, O] as [E, O, I]; an expert's matrix is in memory at a time.</summary>
    public static IEnumerable<ReadOnlyMemory<float>> OfTransposed(Tensor weightEIO)
    {
        var (count, rows, columns) = (weightEIO.Shape[0], weightEIO.Shape[1], weightEIO.Shape[2]);
        var width = Math.Clamp(Most / Math.Max(1, rows), 1, Math.Max(1, columns));
        var (matrix, part) = (new float[rows * columns], new float[width * rows]);
        for (var expert = 0; expert < count; expert++)
        {
            weightEIO.CopyTo(expert * matrix.Length, matrix);
            for (var start = 0; start < columns; start += width)
            {
                var length = Math.Min(width, columns - start) * rows;
                for (var i = 0; i < length; i++)
                {
                    var (column, row) = Math.DivRem(i, rows);
                    part[i] = matrix[row * columns + start + column];
                }

                yield return part.AsMemory(0, length);
            }
        }
    }
}
