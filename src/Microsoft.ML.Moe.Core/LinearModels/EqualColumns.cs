using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// A linear model over fewer columns that gives the same scores under the same L2 penalty: m columns with the same values stand as one, √m times as
/// large. Of weights of the same sum equal ones have the least squares, so each has 1/√m of the one's weight. Character n-grams of a word that is in few
/// rows are such columns, most of all that there are.
/// </summary>
internal sealed class EqualColumns
{
    private readonly float[] _scales;

    /// <summary>Finds them.</summary>
    /// <param name="x">Rows.</param>
    /// <param name="count">How many of the first columns may be put together; the others stay, behind them.</param>
    public EqualColumns(SparseRows x, int count)
    {
        var columns = x.Transpose();
        var (places, firsts) = (new Dictionary<int, int>(new SameValues(columns)), new List<int>());
        Places = new int[x.Columns];
        for (var column = 0; column < x.Columns; column++)
        {
            if (column < count && places.TryGetValue(column, out Places[column]))
                continue;
            Places[column] = firsts.Count;
            if (column < count)
                places.Add(column, firsts.Count);
            firsts.Add(column);
        }

        var members = new int[firsts.Count];
        foreach (var place in Places)
            members[place]++;
        _scales = [.. members.Select(m => 1f / MathF.Sqrt(m))];
        Rows = Only(x, firsts);
    }

    /// <summary>The rows, of fewer columns.</summary>
    public SparseRows Rows { get; }

    /// <summary>Weights for <see cref="Rows"/> out of a model's weights of all columns; where these give other scores, those that are nearest.</summary>
    /// <param name="model">The model.</param>
    /// <param name="features">What the columns are.</param>
    public float[] Join(LinearModel model, LinearFeatures features)
    {
        var stride = Gather.Stride(model.Classes);
        var joined = new float[_scales.Length * stride];
        for (var column = 0; column < Places.Length; column++)
        {
            var place = Places[column];
            var weights = model.WeightsOf(column, features);
            FloatVectors.Add(weights, _scales[place], joined.AsSpan(place * stride, weights.Length));
        }

        return joined;
    }

    /// <summary>Other rows of all columns, to be multiplied with the weights of <see cref="Rows"/>.</summary>
    /// <param name="x">The rows.</param>
    public SparseRows Join(SparseRows x)
    {
        var (offsets, indices, values) = (new int[x.Count + 1], new List<int>(), new List<float>());
        for (var row = 0; row < x.Count; row++)
        {
            var columns = x.IndicesOf(row);
            var own = x.ValuesOf(row);
            for (var i = 0; i < columns.Length; i++)
            {
                indices.Add(Places[columns[i]]);
                values.Add(_scales[Places[columns[i]]] * own[i]);
            }

            offsets[row + 1] = indices.Count;
        }

        return new SparseRows(_scales.Length, offsets, [.. indices], [.. values]);
    }

    /// <summary>Place of each column among the columns of <see cref="Rows"/>.</summary>
    public int[] Places { get; }

    /// <summary>Turns the weights of each column of <see cref="Rows"/> into those of each of the columns that stand there.</summary>
    /// <param name="weights">Columns of <see cref="Rows"/> × <paramref name="stride"/>.</param>
    /// <param name="stride">Floats of a column's weights.</param>
    public float[] Split(ReadOnlySpan<float> weights, int stride)
    {
        var split = GC.AllocateUninitializedArray<float>(weights.Length);
        for (var place = 0; place < _scales.Length; place++)
            FloatVectors.Scale(weights.Slice(place * stride, stride), _scales[place], split.AsSpan(place * stride, stride));
        return split;
    }

    /// <summary>Rows with the first of each group of columns alone.</summary>
    private SparseRows Only(SparseRows x, List<int> firsts)
    {
        var isFirst = new bool[x.Columns];
        foreach (var column in firsts)
            isFirst[column] = true;
        var (offsets, indices, values) = (new int[x.Count + 1], new List<int>(), new List<float>());
        for (var row = 0; row < x.Count; row++)
        {
            var columns = x.IndicesOf(row);
            var own = x.ValuesOf(row);
            for (var i = 0; i < columns.Length; i++)
            {
                if (!isFirst[columns[i]])
                    continue;
                indices.Add(Places[columns[i]]);
                values.Add(own[i] / _scales[Places[columns[i]]]);
            }

            offsets[row + 1] = indices.Count;
        }

        return new SparseRows(firsts.Count, offsets, [.. indices], [.. values]);
    }

    /// <summary>Columns are equal whose values are.</summary>
    private sealed class SameValues(SparseRows columns) : IEqualityComparer<int>
    {
        public bool Equals(int x, int y) =>
            columns.IndicesOf(x).SequenceEqual(columns.IndicesOf(y)) && columns.ValuesOf(x).SequenceEqual(columns.ValuesOf(y));

        public int GetHashCode(int column)
        {
            var hash = default(HashCode);
            hash.AddBytes(MemoryMarshal.AsBytes(columns.IndicesOf(column)));
            hash.AddBytes(MemoryMarshal.AsBytes(columns.ValuesOf(column)));
            return hash.ToHashCode();
        }
    }
}
