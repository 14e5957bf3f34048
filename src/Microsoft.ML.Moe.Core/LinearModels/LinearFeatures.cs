using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// The features that a linear model knows, with their weights before any learning: tf-idf of features that occur or do not (Salton and
/// Buckley 1988), ln((1 + n) / (1 + df)) + 1 for a feature in df of n training rows, each block of a row scaled to unit length; and the
/// counts of pairs, standardised.
/// </summary>
internal sealed class LinearFeatures
{
    /// <summary>Features at most.</summary>
    public const int MaximumFeatures = 1 << 20;

    /// <summary>Values of the weight table at most: 64 MiB, and eight times that while fitting.</summary>
    public const long MaximumValues = 1 << 24;

    /// <summary>Standardised counts are cut off here: a text a hundred times longer than any in training says no more than that.</summary>
    private const float LargestCount = 5f;

    private const int Partitions = 16;
    private readonly FeatureIndex _index;
    private readonly float[] _idf;
    private readonly float[] _means;
    private readonly float[] _scales;

    /// <summary>Features as they were saved.</summary>
    /// <param name="index">Row of each feature.</param>
    /// <param name="idf">Weight of each feature.</param>
    /// <param name="countMeans">Mean of each count of a pair; empty where there are none.</param>
    /// <param name="countScales">What a count less its mean is multiplied by.</param>
    public LinearFeatures(FeatureIndex index, float[] idf, float[] countMeans, float[] countScales)
    {
        (_index, _idf, _means, _scales) = (index, idf, countMeans, countScales);
    }

    /// <summary>Row of each feature.</summary>
    public FeatureIndex Index => _index;

    /// <summary>Weight of each feature.</summary>
    public ReadOnlySpan<float> Idf => _idf;

    /// <summary>Mean of each count of a pair.</summary>
    public ReadOnlySpan<float> CountMeans => _means;

    /// <summary>What a count less its mean is multiplied by.</summary>
    public ReadOnlySpan<float> CountScales => _scales;

    /// <summary>Columns of a transformed row: features, then counts, then one that is always 1.</summary>
    public int Columns => _index.Count + _means.Length + 1;

    /// <summary>The features of training rows; the most frequent where they are too many.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="classes">Number of classes, C; more of them leave room for fewer features.</param>
    public static LinearFeatures Of(IReadOnlyList<LinearRow> rows, int classes)
    {
        var room = (int)Math.Min(MaximumFeatures, MaximumValues / classes);
        var (ids, frequencies) = Frequent(rows, room);
        var idf = new float[ids.Length];
        for (var i = 0; i < idf.Length; i++)
            idf[i] = (float)(Math.Log((1.0 + rows.Count) / (1.0 + frequencies[i])) + 1);
        var (means, scales) = Standard(rows);
        return new LinearFeatures(new FeatureIndex(ids), idf, means, scales);
    }

    /// <summary>A row's columns and values.</summary>
    /// <param name="row">The row.</param>
    /// <param name="indices">Receives the columns.</param>
    /// <param name="values">Receives the values.</param>
    public void Transform(LinearRow row, List<int> indices, List<float> values)
    {
        foreach (var block in row.Blocks)
            AddBlock(block, indices, values);
        for (var i = 0; i < _means.Length && row.Counts.Length > 0; i++)
        {
            indices.Add(_index.Count + i);
            values.Add(Math.Clamp((row.Counts[i] - _means[i]) * _scales[i], -LargestCount, LargestCount));
        }

        indices.Add(Columns - 1);
        values.Add(1f);
    }

    /// <summary>Rows as a matrix.</summary>
    public SparseRows Transform(IReadOnlyList<LinearRow> rows)
    {
        var (indices, values) = (new List<int>(), new List<float>());
        var offsets = new int[rows.Count + 1];
        for (var i = 0; i < rows.Count; i++)
        {
            Transform(rows[i], indices, values);
            offsets[i + 1] = indices.Count;
        }

        return new SparseRows(Columns, offsets, [.. indices], [.. values]);
    }

    private void AddBlock(ulong[] block, List<int> indices, List<float> values)
    {
        var start = values.Count;
        var squares = 0f;
        foreach (var id in block)
        {
            var row = _index.RowOf(id);
            if (row < 0)
                continue;
            indices.Add(row);
            values.Add(_idf[row]);
            squares += _idf[row] * _idf[row];
        }

        var scale = squares > 0 ? 1f / MathF.Sqrt(squares) : 0f;
        foreach (ref var value in CollectionsMarshal.AsSpan(values)[start..])
            value *= scale;
    }

    /// <summary>
    /// Distinct features with the number of rows that have each, ascending. Hashes are spread evenly, so that a part of their range at
    /// a time is collected and sorted: no table of all that occur is needed.
    /// </summary>
    private static (ulong[] Ids, int[] Frequencies) Frequent(IReadOnlyList<LinearRow> rows, int room)
    {
        var (ids, frequencies) = (new List<ulong>(), new List<int>());
        var collected = new List<ulong>();
        for (var part = 0UL; part < Partitions; part++)
        {
            collected.Clear();
            foreach (var row in rows)
                foreach (var block in row.Blocks)
                    collected.AddRange(Part(block, part));
            collected.Sort();
            foreach (var id in collected)
            {
                if (ids.Count == 0 || ids[^1] != id)
                {
                    ids.Add(id);
                    frequencies.Add(0);
                }

                frequencies[^1]++;
            }
        }

        if (ids.Count == 0)
            return ([0], [0]);
        if (ids.Count <= room)
            return ([.. ids], [.. frequencies]);
        // of equally frequent ones those with the lower hash
        var kept = Enumerable.Range(0, ids.Count).OrderByDescending(i => frequencies[i]).ThenBy(i => i).Take(room).Order().ToArray();
        return ([.. kept.Select(i => ids[i])], [.. kept.Select(i => frequencies[i])]);
    }

    private static ReadOnlySpan<ulong> Part(ulong[] ascending, ulong part)
    {
        const int Shift = LinearRow.HashBits - 4;
        var start = ascending.AsSpan().BinarySearch(part << Shift);
        var end = ascending.AsSpan().BinarySearch((part + 1) << Shift);
        return ascending.AsSpan((start < 0 ? ~start : start)..(end < 0 ? ~end : end));
    }

    private static (float[] Means, float[] Scales) Standard(IReadOnlyList<LinearRow> rows)
    {
        var number = rows.Count == 0 ? 0 : rows.Max(row => row.Counts.Length);
        var pairs = rows.Where(row => row.Counts.Length == number).ToList();
        var (means, scales) = (new float[number], new float[number]);
        for (var i = 0; i < number; i++)
        {
            var mean = pairs.Average(row => (double)row.Counts[i]);
            var variance = pairs.Average(row => (row.Counts[i] - mean) * (row.Counts[i] - mean));
            (means[i], scales[i]) = ((float)mean, variance > 1e-12 ? (float)(1 / Math.Sqrt(variance)) : 0f);
        }

        return (means, scales);
    }
}
