namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>A word while its symbols are merged. For one thread.</summary>
internal sealed class BpeWord
{
    private const int LargestKept = 1 << 16;
    [ThreadStatic]
    private static BpeWord? _ofThread;
    private readonly PriorityQueue<(int Symbol, int Result), (int Rank, int Symbol)> _queue = new();
    private Symbol[] _symbols = new Symbol[64];

    /// <summary>Number of symbols, merged ones included.</summary>
    public int Count { get; private set; }

    /// <summary>An empty word, the thread's own.</summary>
    public static BpeWord Rent()
    {
        if (_ofThread is null || _ofThread._symbols.Length > LargestKept)
            _ofThread = new BpeWord();
        _ofThread.Count = 0;
        return _ofThread;
    }

    /// <summary>Appends a symbol.</summary>
    /// <param name="id">Id of the token.</param>
    /// <param name="length">Bytes it stands for.</param>
    public void Add(int id, int length)
    {
        if (Count == _symbols.Length)
            Array.Resize(ref _symbols, 2 * Count);
        if (Count > 0)
            _symbols[Count - 1].Next = Count;
        _symbols[Count] = new Symbol { Id = id, Length = length, Previous = Count - 1, Next = -1 };
        Count++;
    }

    /// <summary>Id of a symbol.</summary>
    public int Id(int symbol) => _symbols[symbol].Id;

    /// <summary>Bytes that a symbol stands for; 0 for one that another took in.</summary>
    public int Length(int symbol) => _symbols[symbol].Length;

    /// <summary>The symbol after another; −1 for none.</summary>
    public int Next(int symbol) => _symbols[symbol].Next;

    /// <summary>Merges by looking at all pairs each time: the fastest way for a short word.</summary>
    public void MergeByScanning(PairTable merges)
    {
        Span<long> ranked = stackalloc long[Count];
        for (var s = 0; s < Count; s++)
            ranked[s] = RankedMerge(merges, s);
        while (true)
        {
            var (best, bestMerge) = (-1, long.MaxValue);
            for (var s = 0; s >= 0 && s < Count; s = _symbols[s].Next)
                if (ranked[s] >> 32 < bestMerge >> 32)
                    (best, bestMerge) = (s, ranked[s]);
            if (best < 0)
                return;
            Merge(best, (int)bestMerge);
            ranked[best] = RankedMerge(merges, best);
            if (_symbols[best].Previous is >= 0 and var previous)
                ranked[previous] = RankedMerge(merges, previous);
        }
    }

    /// <summary>Merges with a queue of pairs, for long words.</summary>
    public void MergeByQueue(PairTable merges)
    {
        _queue.Clear();
        for (var s = 0; s < Count; s++)
            Enqueue(merges, s);
        while (_queue.TryDequeue(out var merge, out _))
        {
            ref readonly var symbol = ref _symbols[merge.Symbol];
            // pairs of symbols that have changed since are stale
            if (symbol.Length == 0 || symbol.Next < 0
                || !merges.TryGet(symbol.Id, _symbols[symbol.Next].Id, out _, out var result) || result != merge.Result)
                continue;
            Merge(merge.Symbol, merge.Result);
            if (symbol.Previous >= 0)
                Enqueue(merges, symbol.Previous);
            Enqueue(merges, merge.Symbol);
        }
    }

    private void Merge(int first, int result)
    {
        ref var symbol = ref _symbols[first];
        ref var second = ref _symbols[symbol.Next];
        symbol.Id = result;
        symbol.Length += second.Length;
        symbol.Next = second.Next;
        second.Length = 0;
        if (second.Next >= 0)
            _symbols[second.Next].Previous = first;
    }

    private long RankedMerge(PairTable merges, int symbol)
    {
        var next = _symbols[symbol].Next;
        return next >= 0 && merges.TryGet(_symbols[symbol].Id, _symbols[next].Id, out var rank, out var result)
            ? (long)rank << 32 | (uint)result
            : long.MaxValue;
    }

    private void Enqueue(PairTable merges, int symbol)
    {
        var next = _symbols[symbol].Next;
        if (next >= 0 && merges.TryGet(_symbols[symbol].Id, _symbols[next].Id, out var rank, out var result))
            _queue.Enqueue((symbol, result), (rank, symbol));
    }

    private struct Symbol
    {
        public int Id;
        public int Length;
        public int Previous;
        public int Next;
    }
}
