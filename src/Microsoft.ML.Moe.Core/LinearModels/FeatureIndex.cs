namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// From a feature's hash to its row of the weight table: by a sorted list of the hashes known, or, in models saved before there was
/// one, by the leading bits of the hash.
/// </summary>
internal sealed class FeatureIndex
{
    private readonly ulong[] _ids;
    private readonly int[] _starts;
    private readonly int _shift;

    /// <summary>The features of a fit.</summary>
    /// <param name="ids">Their hashes, ascending and without repeats.</param>
    /// <exception cref="ArgumentException">They are not.</exception>
    public FeatureIndex(ulong[] ids)
    {
        _ids = ids;
        for (var i = 0; i < ids.Length; i++)
            if (ids[i] >> LinearRow.HashBits != 0 || (i > 0 && ids[i] <= ids[i - 1]))
                throw new ArgumentException($"Feature {i} is no {LinearRow.HashBits}-bit hash above the one before it.", nameof(ids));
        var bits = Math.Max(1, (int)Math.Log2(Math.Max(1, ids.Length)));
        _shift = LinearRow.HashBits - bits;
        _starts = new int[(1 << bits) + 1];
        foreach (var id in ids)
            _starts[(id >> _shift) + 1]++;
        for (var i = 1; i < _starts.Length; i++)
            _starts[i] += _starts[i - 1];
        Count = ids.Length;
    }

    private FeatureIndex(int bits)
    {
        (_ids, _starts) = ([], []);
        _shift = LinearRow.HashBits - bits;
        Count = 1 << bits;
        HashedBits = bits;
    }

    /// <summary>Number of rows.</summary>
    public int Count { get; }

    /// <summary>Binary logarithm of the rows where they go by leading bits; 0 where each feature has a row of its own.</summary>
    public int HashedBits { get; }

    /// <summary>The hashes known; empty where rows go by leading bits.</summary>
    public ReadOnlySpan<ulong> Ids => _ids;

    /// <summary>Rows by the leading bits of the hash.</summary>
    /// <param name="bits">Binary logarithm of the rows, within [1, 30].</param>
    public static FeatureIndex Hashed(int bits) => new(bits);

    /// <summary>Row of a feature; −1 for one unknown.</summary>
    public int RowOf(ulong id)
    {
        var bucket = id >> _shift;
        if (HashedBits > 0)
            return (int)bucket;
        for (var i = _starts[bucket]; i < _starts[bucket + 1]; i++)
            if (_ids[i] == id)
                return i;
        return -1;
    }
}
