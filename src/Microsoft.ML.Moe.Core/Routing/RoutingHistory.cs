namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// What a layer's router has scored of each sequence so far, for routers whose choice depends on earlier tokens
/// (<see cref="RoutingScope.Prefix"/>): decoding token by token then chooses as one pass over all tokens would. For one thread.
/// </summary>
internal sealed class RoutingHistory
{
    private PrefixScores[] _sequences;

    /// <summary>Sequences that have not begun.</summary>
    /// <param name="sequences">How many, at least 1.</param>
    public RoutingHistory(int sequences)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sequences, 1);
        _sequences = [.. Enumerable.Range(0, sequences).Select(_ => new PrefixScores())];
    }

    /// <summary>Number of sequences.</summary>
    public int Sequences => _sequences.Length;

    /// <summary>The scores of a sequence.</summary>
    public PrefixScores this[int sequence] => _sequences[sequence];

    /// <summary>Sequence i goes on as what sequence sources[i] was, as beams do.</summary>
    /// <param name="sources">As many as there are sequences; one may be named repeatedly.</param>
    public void Reorder(ReadOnlySpan<int> sources)
    {
        if (sources.Length != Sequences)
            throw new ArgumentException($"Reorder: {sources.Length} sources for {Sequences} sequences.", nameof(sources));
        var reordered = new PrefixScores[Sequences];
        Span<bool> isUsed = Sequences <= 256 ? stackalloc bool[Sequences] : new bool[Sequences];
        for (var sequence = 0; sequence < Sequences; sequence++)
        {
            var source = sources[sequence];
            reordered[sequence] = isUsed[source] ? _sequences[source].Copy() : _sequences[source];
            isUsed[source] = true;
        }

        _sequences = reordered;
    }

    /// <summary>Forgets the last tokens of a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="length">Tokens that stay, at most as many as there are.</param>
    public void Truncate(int sequence, int length) => _sequences[sequence].Truncate(length);
}

/// <summary>The scores of one sequence's tokens for all experts, as <see cref="PrefixCut"/> keeps them.</summary>
internal sealed class PrefixScores
{
    private PrefixEntry[] _entries = [];
    private int _experts;
    private int _taken;
    private int _rest;

    /// <summary>Number of tokens.</summary>
    public int Length { get; private set; }

    /// <summary>Adds a token and tells which experts it gets.</summary>
    /// <param name="scoresE">Its scores.</param>
    /// <param name="count">How many entries of all tokens are selected now.</param>
    /// <param name="selectedE">Receives one flag for each expert.</param>
    public void Add(ReadOnlySpan<double> scoresE, int count, Span<bool> selectedE)
    {
        if (Length > 0 && scoresE.Length != _experts)
            throw new ArgumentException($"The sequence was routed to {_experts} experts before, not to {scoresE.Length}.", nameof(scoresE));
        _experts = scoresE.Length;
        var needed = checked((Length + 1) * _experts);
        if (needed > _entries.Length)
            Grow(Math.Max(needed, 2 * _entries.Length));
        var cut = new PrefixCut(_entries, _taken, _rest);
        cut.Add(Length++, scoresE, count, selectedE);
        (_taken, _rest) = (cut.Taken, cut.Rest);
    }

    /// <summary>Forgets the last tokens.</summary>
    /// <param name="length">Tokens that stay.</param>
    public void Truncate(int length)
    {
        if ((uint)length > (uint)Length)
            throw new ArgumentOutOfRangeException(nameof(length), length, $"The sequence has {Length} tokens.");
        // the next row takes the largest again
        PrefixEntry[] kept = [.. Taken, .. Rest];
        var cut = new PrefixCut(_entries, 0, 0);
        foreach (var entry in kept)
            if (entry.Number < length * _experts)
                cut.PushRest(entry);
        (Length, _taken, _rest) = (length, 0, cut.Rest);
    }

    /// <summary>The same scores, to go on apart.</summary>
    public PrefixScores Copy() =>
        new() { _entries = [.. _entries], _experts = _experts, _taken = _taken, _rest = _rest, Length = Length };

    private Span<PrefixEntry> Taken => _entries.AsSpan(0, _taken);

    private Span<PrefixEntry> Rest => _entries.AsSpan(_entries.Length - _rest);

    private void Grow(int length)
    {
        var grown = new PrefixEntry[length];
        Taken.CopyTo(grown);
        Rest.CopyTo(grown.AsSpan(length - _rest));
        _entries = grown;
    }
}
