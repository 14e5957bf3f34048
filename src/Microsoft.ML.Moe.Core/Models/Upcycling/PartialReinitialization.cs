using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Drop-Upcycling (Nakamura et al. 2025, arXiv 2502.19261, section 3.2): an expert is a copy with its hidden units in another order, and in
/// each of its matrices a share of them, another set each time, is drawn anew with the mean and deviation of what it replaces. Its baseline
/// adds noise to these instead.
/// </summary>
internal static class PartialReinitialization
{
    /// <summary>Deviation of the noise.</summary>
    public const float NoiseDeviation = 0.02f;

    /// <summary>Units of a matrix that are drawn anew.</summary>
    public static int Count(double share, int units) => (int)(share * units);

    /// <summary>The numbers below a limit in random order.</summary>
    public static int[] Permutation(ulong key, int limit)
    {
        int[] numbers = [.. Enumerable.Range(0, limit)];
        new Random(unchecked((int)key)).Shuffle(numbers);
        return numbers;
    }

    /// <summary>Changes some units of an expert's matrix.</summary>
    /// <param name="part">Which matrix.</param>
    /// <param name="matrix">The matrix, row-major; is changed.</param>
    /// <param name="units">Its hidden units.</param>
    /// <param name="indices">Those to change.</param>
    /// <param name="key">Other keys give other numbers.</param>
    /// <param name="addsNoise">Whether noise is added, in place of drawing anew.</param>
    public static void Redraw(
        FeedForwardPart part, Span<float> matrix, int units, ReadOnlySpan<int> indices, ulong key, bool addsNoise)
    {
        var (mean, deviation) = addsNoise ? (0f, NoiseDeviation) : MeanAndDeviation(part, matrix, units, indices);
        var drawn = new float[indices.Length * (matrix.Length / units)];
        NormalNumbers.Fill(key, 0, deviation, drawn);
        foreach (ref var value in drawn.AsSpan())
            value += mean;
        Put(part, matrix, units, indices, drawn, addsNoise);
    }

    /// <summary>Puts values into some units of a matrix.</summary>
    /// <param name="part">Which matrix.</param>
    /// <param name="matrix">The matrix, row-major; is changed.</param>
    /// <param name="units">Its hidden units.</param>
    /// <param name="indices">Those to change.</param>
    /// <param name="values">The values, unit by unit.</param>
    /// <param name="adds">Whether they are added.</param>
    public static void Put(
        FeedForwardPart part, Span<float> matrix, int units, ReadOnlySpan<int> indices, ReadOnlySpan<float> values, bool adds)
    {
        var width = matrix.Length / units;
        for (var i = 0; i < indices.Length; i++)
            for (var entry = 0; entry < width; entry++)
            {
                ref var place = ref matrix[HiddenUnits.IndexOf(part, indices[i], entry, units, width)];
                place = (adds ? place : 0f) + values[i * width + entry];
            }
    }

    /// <summary>Mean and unbiased standard deviation of all entries of some units; 0 where there are too few.</summary>
    public static (float Mean, float Deviation) MeanAndDeviation(
        FeedForwardPart part, ReadOnlySpan<float> matrix, int units, ReadOnlySpan<int> indices)
    {
        var width = matrix.Length / units;
        var count = indices.Length * width;
        var (sum, squares) = (0.0, 0.0);
        foreach (var unit in indices)
            for (var entry = 0; entry < width; entry++)
                sum += matrix[HiddenUnits.IndexOf(part, unit, entry, units, width)];
        var mean = count == 0 ? 0 : sum / count;
        foreach (var unit in indices)
            for (var entry = 0; entry < width; entry++)
            {
                var difference = matrix[HiddenUnits.IndexOf(part, unit, entry, units, width)] - mean;
                squares += difference * difference;
            }

        return ((float)mean, count < 2 ? 0f : (float)Math.Sqrt(squares / (count - 1)));
    }
}
