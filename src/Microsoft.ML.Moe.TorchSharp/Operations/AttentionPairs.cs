using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Sequences of queries and keys side by side on the device, padded to the longest: A sequences that have both, T queries, S keys. Queries
/// stand at the end of their sequence's keys. What stands at padded places is a row of the same sequence.
/// </summary>
internal sealed class AttentionPairs
{
    private readonly TorchTape _tape;
    private readonly SequenceLayout _queries;
    private readonly (int Sequence, int Queries, int FirstKey, int Keys)[] _active;
    private readonly SequenceLayout? _keys;

    /// <summary>Pairs queries with keys that stand packed.</summary>
    public AttentionPairs(TorchTape tape, SequenceLayout queries, SequenceLayout keys)
        : this(tape, queries, sequence => (keys.Offsets[sequence], keys.Offsets[sequence + 1] - keys.Offsets[sequence])) => _keys = keys;

    /// <summary>Pairs queries with the keys of a cache, the new ones included.</summary>
    public AttentionPairs(TorchTape tape, SequenceLayout queries, TorchKeyValueCache cache)
        : this(tape, queries, sequence => (sequence * cache.Capacity, cache.Lengths[sequence]))
    {
    }

    private AttentionPairs(TorchTape tape, SequenceLayout queries, Func<int, (int First, int Count)> keysOf)
    {
        (_tape, _queries) = (tape, queries);
        _active =
        [
            .. Enumerable.Range(0, queries.Sequences)
                .Select(sequence => (
                    sequence, queries.Offsets[sequence + 1] - queries.Offsets[sequence], keysOf(sequence).First, keysOf(sequence).Count))
                .Where(pair => pair.Item2 > 0 && pair.Count > 0),
        ];
        foreach (var (_, count, _, keys) in _active)
            (MostQueries, MostKeys) = (Math.Max(MostQueries, count), Math.Max(MostKeys, keys));
    }

    /// <summary>A, the number of sequences that have queries and keys.</summary>
    public int Count => _active.Length;

    /// <summary>T, most queries of one of them.</summary>
    public int MostQueries { get; }

    /// <summary>S, most keys of one of them.</summary>
    public int MostKeys { get; }

    /// <summary>Rows of queries to [A, T, C].</summary>
    public torch.Tensor Queries(torch.Tensor rowsC) =>
        Padded(rowsC, MostQueries, pair => (_queries.Offsets[pair.Sequence], pair.Queries));

    /// <summary>Rows of keys or values to [A, S, C].</summary>
    public torch.Tensor Keys(torch.Tensor rowsC) => Padded(rowsC, MostKeys, pair => (pair.FirstKey, pair.Keys));

    /// <summary>[A·T, C] to the rows of the queries; zeros for sequences without keys.</summary>
    public torch.Tensor Unpad(torch.Tensor placesC)
    {
        var places = new int[_queries.Tokens];
        places.AsSpan().Fill(Count * MostQueries);
        for (var a = 0; a < Count; a++)
        {
            for (var i = 0; i < _active[a].Queries; i++)
                places[_queries.Offsets[_active[a].Sequence] + i] = a * MostQueries + i;
        }

        var zerosC = torch.zeros([1, placesC.shape[1]], placesC.dtype, _tape.Device);
        return torch.cat([placesC, zerosC], 0).index_select(0, _tape.Device.Upload(places));
    }

    /// <summary>[A, 1, T, S], whether a query sees a key; null where all see all.</summary>
    public torch.Tensor? IsSeen(AttentionSpec spec)
    {
        torch.Tensor? isSeen = null;
        if (_keys is { Mask.IsEmpty: false } || _active.Any(pair => pair.Keys < MostKeys))
        {
            var isKey = new bool[Count * MostKeys];
            for (var a = 0; a < Count; a++)
            {
                for (var j = 0; j < _active[a].Keys; j++)
                    isKey[a * MostKeys + j] = _keys is null || _keys.IsToken(_active[a].FirstKey + j);
            }

            isSeen = _tape.Device.Upload(isKey).reshape(Count, 1, 1, MostKeys);
        }

        if (!spec.IsCausal && spec.Window is null)
            return isSeen;
        var distances = Distances().unsqueeze(1);
        if (spec.IsCausal)
            isSeen = And(isSeen, distances.le(Scalars.Of(0L)));
        if (spec.Window is { } window)
        {
            isSeen = And(isSeen, distances.gt(Scalars.Of(-(long)window)));
            isSeen = And(isSeen, distances.lt(Scalars.Of((long)window)));
        }

        return isSeen;
    }

    /// <summary>A bias by distance, [R, H], as [A, H, T, S].</summary>
    public torch.Tensor Bias(torch.Tensor valuesRH, int zero)
    {
        // Distances that no query sees may have no row.
        var rows = Distances().Plus((long)zero).clamp(Scalars.Of(0L), null).reshape(-1);
        rows = rows.clamp(null, Scalars.Of(valuesRH.shape[0] - 1));
        return valuesRH.index_select(0, rows).reshape(Count, MostQueries, MostKeys, valuesRH.shape[1]).permute(0, 3, 1, 2);
    }

    private static torch.Tensor And(torch.Tensor? left, torch.Tensor right) => left is null ? right : left.logical_and(right);

    /// <summary>[A, T, S], the position of a key less that of a query.</summary>
    private torch.Tensor Distances()
    {
        var positions = new int[Count * MostQueries];
        for (var i = 0; i < positions.Length; i++)
        {
            var (_, queries, _, keys) = _active[i / MostQueries];
            positions[i] = i % MostQueries + keys - queries;
        }

        var positionsAT1 = _tape.Device.Upload(positions).reshape(Count, MostQueries, 1);
        return Scalars.Range(MostKeys, _tape.Device).reshape(1, 1, MostKeys).sub(positionsAT1);
    }

    private torch.Tensor Padded(
        torch.Tensor rowsC, int most, Func<(int Sequence, int Queries, int FirstKey, int Keys), (int First, int Count)> place)
    {
        var rows = new int[Count * most];
        for (var a = 0; a < Count; a++)
        {
            var (first, count) = place(_active[a]);
            for (var i = 0; i < most; i++)
                rows[a * most + i] = first + Math.Min(i, count - 1);
        }

        return rowsC.index_select(0, _tape.Device.Upload(rows)).reshape(Count, most, rowsC.shape[1]);
    }
}
