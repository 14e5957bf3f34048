using System.Numerics;

namespace Microsoft.ML.Moe.Files;

/// <summary>Tells numbers that can be weights of a model from those that cannot.</summary>
internal static class WeightValues
{
    /// <summary>Largest magnitude of a weight: far over any that was ever trained, far under what overflows in a product.</summary>
    public const float Largest = 1e15f;

    /// <summary>Checks weights that were read.</summary>
    /// <param name="values">The weights.</param>
    /// <param name="file">What errors call the file.</param>
    /// <param name="tensor">Name of the tensor.</param>
    /// <exception cref="InvalidDataException">One is no number, or too large; the message names the file and the tensor.</exception>
    public static void Check(ReadOnlySpan<float> values, string file, string tensor)
    {
        if (FindImpossible(values) is { } at)
        {
            throw new InvalidDataException(
                $"{file}: element {at} of tensor {tensor} is {values[at]}, which cannot be a weight: the model has diverged while it was "
                + "trained, or the file is damaged.");
        }
    }

    private static int? FindImpossible(ReadOnlySpan<float> values)
    {
        var largest = new Vector<float>(Largest);
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            // false of NaN too
            if (!Vector.LessThanOrEqualAll(Vector.Abs(new Vector<float>(values[i..])), largest))
                break;
        }

        for (; i < values.Length; i++)
        {
            if (!(Math.Abs(values[i]) <= Largest))
                return i;
        }

        return null;
    }
}
