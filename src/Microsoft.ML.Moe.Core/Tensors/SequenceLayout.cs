namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Where each sequence lies in a packed batch: the tokens of all sequences stand one after the other in a [T, …] tensor, so that
/// padding costs nothing because there is none. Padding can still be packed as tokens of its own (a policy that lets padding
/// compete needs it); <see cref="IsToken"/> then tells which rows are real.
/// </summary>
public sealed class SequenceLayout
{
    private readonly int[] _offsets;
    private readonly bool[]? _isToken;

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
            MaxLength = Math.Max(MaxLength, offsets[i] - offsets[i - 1]);
        }

        if (isToken != null && isToken.Length != offsets[^1])
            throw new ArgumentException("One flag for each token.", nameof(isToken));
        _offsets = offsets;
        _isToken = isToken;
    }

    /// <summary>A run of sequences as a layout of their own.</summary>
    /// <param name="first">First sequence.</param>
    /// <param name="count">Number of sequences.</param>
    internal SequenceLayout Part(int first, int count)
    {
        var (start, end) = (_offsets[first], _offsets[first + count]);
        var offsets = new int[count + 1];
        for (var i = 0; i <= count; i++)
            offsets[i] = _offsets[first + i] - start;
        return new SequenceLayout(offsets, _isToken?[start..end]);
    }

    /// <summary>Number of sequences, B.</summary>
    public int Sequences => _offsets.Length - 1;

    /// <summary>Number of rows in the packed batch, T.</summary>
    public int Tokens => _offsets[^1];

    /// <summary>Length of the longest sequence.</summary>
    public int MaxLength { get; }

    /// <summary>Start of each sequence and, last, <see cref="Tokens"/>.</summary>
    public ReadOnlySpan<int> Offsets => _offsets;

    /// <summary>Whether each row is a token and not padding; empty when there is no padding.</summary>
    public ReadOnlySpan<bool> Mask => _isToken;

    /// <summary>Whether a row is a token and not padding.</summary>
    /// <param name="row">Row of the packed batch.</param>
    public bool IsToken(int row) => _isToken is null || _isToken[row];
}
