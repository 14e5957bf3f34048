using System.Numerics;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Where each sequence lies in a packed batch: the tokens of all sequences stand one after the other in a [T, …] tensor, so that
/// padding costs nothing because there is none. Padding can still be packed as tokens of its own (a policy that lets padding
/// compete needs it); <see cref="IsToken"/> then tells which rows are real.
/// </summary>
public sealed class SequenceLayout
{
    private int[] _offsets;
    private bool[] _isToken;
    private bool _hasMask;

    /// <summary>Creates a layout.</summary>
    /// <param name="offsets">Start of each sequence and, last, the number of tokens; starts at 0, never falls.</param>
    /// <param name="isToken">For each row whether it is a token and not padding; null when there is no padding.</param>
    /// <exception cref="ArgumentException">The offsets do not start at 0, fall, or disagree with <paramref name="isToken"/>.</exception>
    public SequenceLayout(int[] offsets, bool[]? isToken = null)
    {
        ArgumentNullException.ThrowIfNull(offsets);
        if (offsets.Length == 0 || offsets[0] != 0)
            throw new ArgumentException("Offsets start at 0.", nameof(offsets));
        for (var i = 1; i < offsets.Length; i++)
        {
            if (offsets[i] < offsets[i - 1])
                throw new ArgumentException("Offsets never fall.", nameof(offsets));
        }

        if (isToken != null && isToken.Length != offsets[^1])
            throw new ArgumentException("One flag for each token.", nameof(isToken));
        (_offsets, _isToken, _hasMask) = (offsets, isToken ?? [], isToken is not null);
        Sequences = offsets.Length - 1;
        MaxLength = Longest();
    }

    /// <summary>Sequences that belong to one row of a table, which stand one after the other.</summary>
    internal int SequencesOfRow { get; set; } = 1;

    /// <summary>Creates a layout that has still to <see cref="Reset"/> one.</summary>
    internal SequenceLayout() => (_offsets, _isToken) = ([0], []);

    /// <summary>Makes this the layout of sequences of some lengths, whatever it was before.</summary>
    /// <param name="lengths">Length of each sequence.</param>
    /// <param name="padded">Length that shorter ones are filled up to with padding; 0 for none.</param>
    /// <param name="padsLeft">Whether padding stands before a sequence's tokens.</param>
    internal void Reset(ReadOnlySpan<int> lengths, int padded, bool padsLeft = false)
    {
        Resize(lengths.Length);
        for (var i = 0; i < lengths.Length; i++)
        {
            _offsets[i + 1] = _offsets[i] + Math.Max(padded, lengths[i]);
            _hasMask |= lengths[i] < padded;
        }

        MaxLength = Longest();
        if (!_hasMask)
            return;
        ResizeMask().Clear();
        for (var i = 0; i < lengths.Length; i++)
            _isToken.AsSpan(padsLeft ? _offsets[i + 1] - lengths[i] : _offsets[i], lengths[i]).Fill(true);
    }

    /// <summary>A run of sequences as a layout of their own.</summary>
    /// <param name="first">First sequence.</param>
    /// <param name="count">Number of sequences.</param>
    /// <param name="part">Becomes that layout.</param>
    internal SequenceLayout Part(int first, int count, SequenceLayout part)
    {
        part.Resize(count);
        for (var i = 1; i <= count; i++)
            part._offsets[i] = _offsets[first + i] - _offsets[first];
        part.MaxLength = part.Longest();
        part._hasMask = _hasMask;
        if (_hasMask)
            Mask.Slice(_offsets[first], part.Tokens).CopyTo(part.ResizeMask());
        return part;
    }

    /// <summary>Number of sequences, B.</summary>
    public int Sequences { get; private set; }

    /// <summary>Number of rows in the packed batch, T.</summary>
    public int Tokens => _offsets[Sequences];

    /// <summary>Length of the longest sequence.</summary>
    public int MaxLength { get; private set; }

    /// <summary>Start of each sequence and, last, <see cref="Tokens"/>.</summary>
    public ReadOnlySpan<int> Offsets => _offsets.AsSpan(0, Sequences + 1);

    /// <summary>Whether each row is a token and not padding; empty when there is no padding.</summary>
    public ReadOnlySpan<bool> Mask => _hasMask ? _isToken.AsSpan(0, Tokens) : [];

    /// <summary>Whether a row is a token and not padding.</summary>
    /// <param name="row">Row of the packed batch.</param>
    public bool IsToken(int row) => !_hasMask || _isToken[row];

    private void Resize(int sequences)
    {
        if (_offsets.Length <= sequences)
            _offsets = new int[BitOperations.RoundUpToPowerOf2((uint)sequences + 1)];
        (Sequences, _hasMask) = (sequences, false);
    }

    private Span<bool> ResizeMask()
    {
        if (_isToken.Length < Tokens)
            _isToken = new bool[BitOperations.RoundUpToPowerOf2((uint)Tokens)];
        return _isToken.AsSpan(0, Tokens);
    }

    private int Longest()
    {
        var longest = 0;
        for (var i = 0; i < Sequences; i++)
            longest = Math.Max(longest, _offsets[i + 1] - _offsets[i]);
        return longest;
    }
}
