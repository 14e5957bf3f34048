using System.Buffers;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// A linear model over <see cref="LinearFeatures"/>: multinomial logistic regression. Features that were in the same training rows have learned the same
/// weights, which are there once. Safe to use from several threads.
/// </summary>
internal sealed class LinearModel
{
    private readonly float[] _weights;
    private readonly int _stride;
    private readonly bool _isHashed;
    private readonly int[]? _rowOf;

    [ThreadStatic]
    private static (List<int> Indices, List<float> Values)? _scratch;

    /// <summary>A model as fitted.</summary>
    /// <param name="features">Its features.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <param name="weights">Rows × <see cref="Gather.Stride"/> of the classes.</param>
    /// <param name="rowOf">Row of the weights of each column of the features; null where each has its own.</param>
    internal LinearModel(LinearFeatures features, int classes, float[] weights, int[]? rowOf = null)
    {
        (Features, Classes, _weights, _stride, _rowOf) = (features, classes, weights, Gather.Stride(classes), rowOf);
    }

    private LinearModel(int bits, int classes, float[] weights)
        : this(new LinearFeatures(FeatureIndex.Hashed(bits), [], [], []), classes, weights) => _isHashed = true;

    /// <summary>Number of classes, C.</summary>
    public int Classes { get; }

    /// <summary>The features it knows.</summary>
    public LinearFeatures Features { get; }

    /// <summary>Weights, rows × stride; the last rows are those of a pair's counts and of what is always 1.</summary>
    internal ReadOnlySpan<float> Weights => _weights;

    /// <summary>Row of <see cref="Weights"/> of a column of the features.</summary>
    internal int RowOf(int column) => _rowOf is null ? column : _rowOf[column];

    /// <summary>
    /// The wide branch of a model saved before there were features of their own: n features, each with a row by the leading bits of its
    /// hash and a weight of 1/√n.
    /// </summary>
    /// <param name="table">2ᵇ rows of C values.</param>
    /// <param name="bits">Binary logarithm of the rows, b.</param>
    /// <param name="classes">Number of classes, C.</param>
    public static LinearModel OfHashedTable(ReadOnlySpan<float> table, int bits, int classes)
    {
        var stride = Gather.Stride(classes);
        var weights = new float[(1 << bits) * stride];
        for (var row = 0; row < 1 << bits; row++)
            table.Slice(row * classes, classes).CopyTo(weights.AsSpan(row * stride));
        return new LinearModel(bits, classes, weights);
    }

    /// <summary>Scores of a row, [C]: logits.</summary>
    public void Score(LinearRow row, Span<float> scores)
    {
        var (indices, values) = _scratch ??= ([], []);
        indices.Clear();
        values.Clear();
        Transform(row, indices, values);
        var rented = _stride <= 1024 ? null : ArrayPool<float>.Shared.Rent(_stride);
        var sum = rented is null ? stackalloc float[_stride] : rented.AsSpan(0, _stride);
        sum.Clear();
        Gather.Add(_weights, CollectionsMarshal.AsSpan(indices), CollectionsMarshal.AsSpan(values), sum);
        sum[..Classes].CopyTo(scores);
        if (rented is not null)
            ArrayPool<float>.Shared.Return(rented);
    }

    /// <summary>Rows of <see cref="Weights"/> that a row's features are, and how much each counts; both are added to.</summary>
    internal void Transform(LinearRow row, List<int> indices, List<float> values)
    {
        if (_isHashed)
            TransformHashed(row, indices, values);
        else
            TransformKnown(row, indices, values);
    }

    private void TransformKnown(LinearRow row, List<int> indices, List<float> values)
    {
        var start = indices.Count;
        Features.Transform(row, indices, values);
        if (_rowOf is null)
            return;
        foreach (ref var index in CollectionsMarshal.AsSpan(indices)[start..])
            index = _rowOf[index];
    }

    /// <summary>Natural logarithms of the probabilities of a row, [C].</summary>
    public void ScoreLogarithms(LinearRow row, Span<float> logarithms)
    {
        Score(row, logarithms);
        Softmax.Logarithms(logarithms[..Classes]);
    }

    /// <summary>Natural logarithms of the probabilities of rows, [rows, C].</summary>
    public void ScoreLogarithms(IReadOnlyList<LinearRow> rows, Span<float> logarithms)
    {
        for (var i = 0; i < rows.Count; i++)
            ScoreLogarithms(rows[i], logarithms.Slice(i * Classes, Classes));
    }

    /// <summary>The weights of a column of other features, [stride]: none of a feature that they alone have.</summary>
    /// <param name="column">The column.</param>
    /// <param name="others">Features of the same classes and as many counts.</param>
    internal ReadOnlySpan<float> WeightsOf(int column, LinearFeatures others)
    {
        var own = column >= others.Index.Count ? column - others.Index.Count + Features.Index.Count
            : others == Features ? column
            : Features.Index.RowOf(others.Index.Ids[column]);
        return own < 0 ? [] : _weights.AsSpan(RowOf(own) * _stride, _stride);
    }

    private void TransformHashed(LinearRow row, List<int> indices, List<float> values)
    {
        // those models told features apart by 31 bits
        const int Shift = LinearRow.HashBits - 31;
        var last = ulong.MaxValue;
        foreach (var id in row.Blocks.Length > 0 ? row.Blocks[0] : [])
        {
            if (id >> Shift != last)
                indices.Add(Features.Index.RowOf(id));
            last = id >> Shift;
        }

        var weight = 1f / MathF.Sqrt(Math.Max(1, indices.Count));
        for (var i = 0; i < indices.Count; i++)
            values.Add(weight);
    }
}
