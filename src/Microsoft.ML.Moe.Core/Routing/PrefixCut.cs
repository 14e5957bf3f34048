namespace Microsoft.ML.Moe.Routing;

/// <summary>An entry of a growing table of scores: its score, and its number t·N + e.</summary>
internal readonly record struct PrefixEntry(double Score, int Number)
{
    /// <summary>Whether this one is among the largest before the other: larger, or equal and earlier.</summary>
    public bool IsAheadOf(PrefixEntry other) => Score > other.Score || (Score == other.Score && Number < other.Number);
}

/// <summary>
/// The largest entries of a table of scores that grows by a row at a time, by as many as are asked for at each row: two heaps in one piece of
/// memory, the largest entries from its front with the smallest of them on top, the rest from its end with the largest on top. A row of N
/// entries takes O(N·log(t·N)).
/// </summary>
/// <param name="memory">Room for all entries.</param>
/// <param name="taken">How many of them are the largest so far.</param>
/// <param name="rest">How many others there are.</param>
internal ref struct PrefixCut(Span<PrefixEntry> memory, int taken, int rest)
{
    private readonly Span<PrefixEntry> _memory = memory;

    /// <summary>How many entries are the largest.</summary>
    public int Taken { get; private set; } = taken;

    /// <summary>How many others there are.</summary>
    public int Rest { get; private set; } = rest;

    /// <summary>Adds a row and tells which of its entries are among the largest.</summary>
    /// <param name="row">Its number, t.</param>
    /// <param name="scoresE">Its scores; NaN counts as the smallest.</param>
    /// <param name="count">How many entries are to be the largest, of all rows.</param>
    /// <param name="selectedE">Receives one flag for each entry of the row.</param>
    public void Add(int row, ReadOnlySpan<double> scoresE, int count, Span<bool> selectedE)
    {
        var first = row * scoresE.Length;
        for (var expert = 0; expert < scoresE.Length; expert++)
        {
            var entry = Entry(expert, scoresE);
            if (Taken > 0 && entry.IsAheadOf(_memory[0]))
                PushTaken(entry);
            else
                PushRest(entry);
        }

        while (Taken < count && Rest > 0)
            PushTaken(PopRest());
        while (Taken > count)
            PushRest(PopTaken());
        for (var expert = 0; expert < scoresE.Length; expert++)
            selectedE[expert] = Taken > 0 && !_memory[0].IsAheadOf(Entry(expert, scoresE));

        PrefixEntry Entry(int expert, ReadOnlySpan<double> scores) =>
            new(double.IsNaN(scores[expert]) ? double.NegativeInfinity : scores[expert], first + expert);
    }

    /// <summary>Adds an entry to those that are not the largest.</summary>
    public void PushRest(PrefixEntry entry)
    {
        var place = Rest++;
        while (place > 0 && entry.IsAheadOf(AtEnd((place - 1) / 2)))
        {
            AtEnd(place) = AtEnd((place - 1) / 2);
            place = (place - 1) / 2;
        }

        AtEnd(place) = entry;
    }

    private void PushTaken(PrefixEntry entry)
    {
        var place = Taken++;
        while (place > 0 && _memory[(place - 1) / 2].IsAheadOf(entry))
        {
            _memory[place] = _memory[(place - 1) / 2];
            place = (place - 1) / 2;
        }

        _memory[place] = entry;
    }

    private PrefixEntry PopRest()
    {
        var (top, last, place) = (AtEnd(0), AtEnd(--Rest), 0);
        for (var child = 1; child < Rest; child = 2 * place + 1)
        {
            if (child + 1 < Rest && AtEnd(child + 1).IsAheadOf(AtEnd(child)))
                child++;
            if (!AtEnd(child).IsAheadOf(last))
                break;
            AtEnd(place) = AtEnd(child);
            place = child;
        }

        AtEnd(place) = last;
        return top;
    }

    private PrefixEntry PopTaken()
    {
        var (top, last, place) = (_memory[0], _memory[--Taken], 0);
        for (var child = 1; child < Taken; child = 2 * place + 1)
        {
            if (child + 1 < Taken && _memory[child].IsAheadOf(_memory[child + 1]))
                child++;
            if (!last.IsAheadOf(_memory[child]))
                break;
            _memory[place] = _memory[child];
            place = child;
        }

        _memory[place] = last;
        return top;
    }

    private readonly ref PrefixEntry AtEnd(int place) => ref _memory[_memory.Length - 1 - place];
}
