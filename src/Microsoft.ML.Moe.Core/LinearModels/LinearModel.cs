using System.Buffers;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// A linear model over <see cref="LinearFeatures"/>: multinomial logistic regression. Safe to use from several threads.
/// </summary>
internal sealed class LinearModel
{
    private readonly float[] _weights;
    private readonly int _stride;
    private readonly bool _isHashed;

    [ThreadStatic]
    private static (List<int> Indices, List<float> Values)? _scratch;

    /// <summary>A model as fitted.</summary>
    /// <param name="features">Its features.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <param name="weights">Columns of the features × <see cref="Gather.Stride"/> of the classes.</param>
    internal LinearModel(LinearFeatures features, int classes, float[] weights)
    {
        (Features, Classes, _weights, _stride) = (features, classes, weights, Gather.Stride(classes));
    }

    private LinearModel(int bits, int classes, float[] weights)
        : this(new LinearFeatures(FeatureIndex.Hashed(bits), [], [], []), classes, weights) => _isHashed = true;

    /// <summary>Number of classes, C.</summary>
    public int Classes { get; }

    /// <summary>The features it knows.</summary>
    public LinearFeatures Features { get; }

    /// <summary>Weights, columns of the features × stride.</summary>
    internal ReadOnlySpan<float> Weights => _weights;

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
            Features.Transform(row, indices, values);
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

    /// <summary>The weights for other features, columns of these × stride: 0 of features that they alone have.</summary>
    /// <param name="others">Features of the same classes and as many counts.</param>
    internal ReadOnlySpan<float> WeightsFor(LinearFeatures others)
    {
        if (others == Features)
            return _weights;
        var weights = new float[others.Columns * _stride];
        for (var row = 0; row < others.Index.Count; row++)
            if (Features.Index.RowOf(others.Index.Ids[row]) is >= 0 and var known)
                _weights.AsSpan(known * _stride, _stride).CopyTo(weights.AsSpan(row * _stride));
        _weights.AsSpan(Features.Index.Count * _stride).CopyTo(weights.AsSpan(others.Index.Count * _stride));
        return weights;
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
