namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Keys and values of the tokens that an attention layer has seen, for decoding: <see cref="Tape.CachedAttention"/> appends those of the
/// new tokens and attends to all. The memory belongs to the engine and outlives tapes; it is for one thread at a time, and for inference.
/// </summary>
public abstract class KeyValueCache : IDisposable
{
    private readonly int[] _lengths;

    /// <summary>Creates the handle.</summary>
    /// <param name="sequences">Number of sequences, at least 1.</param>
    /// <param name="capacity">Most tokens of a sequence, at least 1.</param>
    /// <param name="keyWidth">Columns of the keys, all heads together; at least 1.</param>
    /// <param name="valueWidth">Columns of the values, all heads together; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or keys or values would be more than 2³⁰ numbers.</exception>
    protected KeyValueCache(int sequences, int capacity, int keyWidth, int valueWidth)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sequences, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(keyWidth, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(valueWidth, 1);
        const long MostNumbers = 1 << 30;
        if ((Int128)sequences * capacity * Math.Max(keyWidth, valueWidth) > MostNumbers)
        {
            throw new ArgumentOutOfRangeException(
                nameof(capacity),
                capacity,
                $"{sequences} sequences of {capacity} tokens with {Math.Max(keyWidth, valueWidth)} columns are over {MostNumbers} numbers.");
        }

        (Sequences, Capacity, KeyWidth, ValueWidth) = (sequences, capacity, keyWidth, valueWidth);
        _lengths = new int[sequences];
    }

    /// <summary>Number of sequences, B.</summary>
    public int Sequences { get; }

    /// <summary>Most tokens of a sequence.</summary>
    public int Capacity { get; }

    /// <summary>Columns of the keys, all heads together.</summary>
    public int KeyWidth { get; }

    /// <summary>Columns of the values, all heads together.</summary>
    public int ValueWidth { get; }

    /// <summary>Tokens of each sequence so far: also the position that its next token has.</summary>
    public ReadOnlySpan<int> Lengths => _lengths;

    /// <summary>Whether the memory is gone.</summary>
    protected abstract bool IsDisposed { get; }

    /// <summary>Forgets the last tokens of a sequence.</summary>
    /// <param name="sequence">The sequence, within [0, B).</param>
    /// <param name="length">Tokens that stay, at most as many as there are.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence, or it has fewer tokens.</exception>
    public void Truncate(int sequence, int length)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if ((uint)sequence >= (uint)Sequences)
            throw new ArgumentOutOfRangeException(nameof(sequence), sequence, $"The cache has {Sequences} sequences.");
        if ((uint)length > (uint)_lengths[sequence])
            throw new ArgumentOutOfRangeException(nameof(length), length, $"Sequence {sequence} has {_lengths[sequence]} tokens.");
        _lengths[sequence] = length;
    }

    /// <summary>Forgets all tokens.</summary>
    public void Clear()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        Array.Clear(_lengths);
    }

    /// <summary>
    /// Goes on with other sequences, as beams do: sequence i continues what sequence sources[i] was, which may be named repeatedly.
    /// </summary>
    /// <param name="sources">B sequences, within [0, B).</param>
    /// <exception cref="ArgumentException">There are not as many.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public void Reorder(ReadOnlySpan<int> sources)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (sources.Length != Sequences)
            throw new ArgumentException($"Reorder: {sources.Length} sources for {Sequences} sequences.", nameof(sources));
        Check.Indices(sources, Sequences);
        ReorderCore(sources);
        Span<int> before = Sequences <= 256 ? stackalloc int[Sequences] : new int[Sequences];
        _lengths.CopyTo(before);
        for (var sequence = 0; sequence < Sequences; sequence++)
            _lengths[sequence] = before[sources[sequence]];
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Moves the tokens for <see cref="Reorder"/>; lengths are still those before.</summary>
    /// <param name="sources">As checked there.</param>
    protected abstract void ReorderCore(ReadOnlySpan<int> sources);

    /// <summary>Releases what the cache holds.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);

    /// <summary>Counts new tokens among those of their sequences, after their keys and values were stored.</summary>
    internal void Count(SequenceLayout layout)
    {
        for (var sequence = 0; sequence < Sequences; sequence++)
            _lengths[sequence] += layout.Offsets[sequence + 1] - layout.Offsets[sequence];
    }

    /// <summary>Checks that a layout is of the cache's sequences, and that its tokens find room where they are appended.</summary>
    internal void CheckFits(SequenceLayout layout, bool appends)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (layout.Sequences != Sequences)
        {
            throw new ArgumentException(
                $"CachedAttention: the layout has {layout.Sequences} sequences but the cache {Sequences}.", nameof(layout));
        }

        if (!layout.Mask.IsEmpty)
            throw new ArgumentException("CachedAttention: the layout has padding, which a cache has no room for.", nameof(layout));
        for (var sequence = 0; appends && sequence < Sequences; sequence++)
        {
            var length = (long)_lengths[sequence] + layout.Offsets[sequence + 1] - layout.Offsets[sequence];
            if (length > Capacity)
            {
                throw new ArgumentException(
                    $"CachedAttention: sequence {sequence} would have {length} tokens, more than the cache's capacity of {Capacity}.",
                    nameof(layout));
            }
        }
    }
}
