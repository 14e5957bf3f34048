using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// A linear model as named numbers, for <c>Weights.safetensors</c>: <c>linear.features</c> [V, 2], the upper and lower 24 bits of each
/// feature's hash, ascending; <c>linear.idf</c> [V]; <c>linear.rows</c> [V], the row of each feature's weights, which others may share; the weights,
/// <c>linear.weight</c> [R + K, C]; <c>linear.bias</c> [C]; and for pairs <c>linear.counts</c> [2, K], mean and scale of each count. Without
/// <c>linear.rows</c>, in earlier files, each feature has a row of its own, R = V.
/// </summary>
internal static class LinearModelValues
{
    private const string Features = "linear.features";
    private const string Idf = "linear.idf";
    private const string Rows = "linear.rows";
    private const string Weight = "linear.weight";
    private const string Bias = "linear.bias";
    private const string Counts = "linear.counts";
    private const int HalfBits = LinearRow.HashBits / 2;

    /// <summary>The model's numbers.</summary>
    public static IEnumerable<NamedValues> Export(LinearModel model)
    {
        var features = model.Features;
        var (v, k, classes) = (features.Index.Count, features.CountMeans.Length, model.Classes);
        var halves = new float[2 * v];
        for (var i = 0; i < v; i++)
        {
            halves[2 * i] = features.Index.Ids[i] >> HalfBits;
            halves[2 * i + 1] = features.Index.Ids[i] & ((1UL << HalfBits) - 1);
        }

        var stride = Gather.Stride(classes);
        var weights = new float[(RowsOf(model) + k + 1) * classes];
        for (var row = 0; row < weights.Length / classes; row++)
            model.Weights.Slice(row * stride, classes).CopyTo(weights.AsSpan(row * classes));
        yield return new NamedValues(Features, [v, 2], halves);
        yield return new NamedValues(Idf, [v], features.Idf.ToArray());
        yield return new NamedValues(Rows, [v], [.. Enumerable.Range(0, v).Select(feature => (float)model.RowOf(feature))]);
        yield return new NamedValues(Weight, [RowsOf(model) + k, classes], weights[..^classes]);
        yield return new NamedValues(Bias, [classes], weights[^classes..]);
        if (k > 0)
            yield return new NamedValues(Counts, [2, k], [.. features.CountMeans, .. features.CountScales]);
    }

    /// <summary>Rows of weights that a model's features share, R.</summary>
    public static int RowsOf(LinearModel model) => model.Weights.Length / Gather.Stride(model.Classes) - model.Features.CountMeans.Length - 1;

    /// <summary>The model of numbers that <see cref="Export"/> gave.</summary>
    /// <param name="take">Gives the numbers of a name and a shape, or fails.</param>
    /// <param name="count">Features, V.</param>
    /// <param name="rows">Rows of weights that they share, R; 0 where each has its own.</param>
    /// <param name="counts">Counts of a pair, K.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <exception cref="InvalidDataException">The numbers are none of a linear model.</exception>
    public static LinearModel Import(Func<string, int[], float[]> take, int count, int rows, int counts, int classes)
    {
        if (count is < 1 or > LinearFeatures.MaximumFeatures || counts is not (0 or PairCounts.Number))
            throw new InvalidDataException($"A linear branch has no {count} features and {counts} counts of pairs.");
        var halves = take(Features, [count, 2]);
        var ids = new ulong[count];
        for (var i = 0; i < count; i++)
            ids[i] = (HalfOf(halves[2 * i]) << HalfBits) | HalfOf(halves[2 * i + 1]);
        FeatureIndex index;
        try
        {
            index = new FeatureIndex(ids);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{Features} is damaged: {error.Message}", error);
        }

        var both = counts > 0 ? take(Counts, [2, counts]) : [];
        var features = new LinearFeatures(index, take(Idf, [count]), both[..counts], both[counts..]);
        var places = rows == 0 ? null : PlacesOf(take(Rows, [count]), rows, counts);
        // nothing is made of the numbers that the configuration claims before those of the file are seen to fit
        var (saved, bias) = (take(Weight, [(rows == 0 ? count : rows) + counts, classes]), take(Bias, [classes]));
        var stride = Gather.Stride(classes);
        var weights = new float[(saved.Length / classes + 1) * stride];
        for (var row = 0; row < saved.Length / classes; row++)
            saved.AsSpan(row * classes, classes).CopyTo(weights.AsSpan(row * stride));
        bias.CopyTo(weights.AsSpan(weights.Length - stride));
        return new LinearModel(features, classes, weights, places);

        static ulong HalfOf(float half) => half >= 0 && half < 1 << HalfBits && half == MathF.Floor(half)
            ? (ulong)half
            : throw new InvalidDataException($"{Features} is damaged: {half} is no half of a hash.");
    }

    /// <summary>The row of each feature, of each count and of what is always 1.</summary>
    private static int[] PlacesOf(float[] saved, int rows, int counts)
    {
        var places = new int[saved.Length + counts + 1];
        for (var i = 0; i < saved.Length; i++)
        {
            places[i] = saved[i] >= 0 && saved[i] < rows && saved[i] == MathF.Floor(saved[i])
                ? (int)saved[i]
                : throw new InvalidDataException($"{Rows} is damaged: {saved[i]} is none of {rows} rows.");
        }

        for (var i = 0; i <= counts; i++)
            places[saved.Length + i] = rows + i;
        return places;
    }
}
