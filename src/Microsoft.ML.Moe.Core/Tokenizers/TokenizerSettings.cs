namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Which text of a pair gives way.</summary>
internal enum TruncationStrategy
{
    /// <summary>The longer one.</summary>
    LongestFirst,

    /// <summary>The first one.</summary>
    OnlyFirst,

    /// <summary>The second one.</summary>
    OnlySecond,
}

/// <summary>How texts are cut.</summary>
/// <param name="Length">Tokens left at most, special ones counted.</param>
/// <param name="Strategy">Which text of a pair gives way.</param>
/// <param name="Stride">Tokens that the parts cut off share with the part before.</param>
/// <param name="FromLeft">Whether the beginning is cut off.</param>
internal sealed record TruncationSettings(
    int Length,
    TruncationStrategy Strategy = TruncationStrategy.LongestFirst,
    int Stride = 0,
    bool FromLeft = false)
{
    /// <summary>Cuts a text or a pair to a number of tokens.</summary>
    /// <exception cref="InvalidOperationException">The text that has to give way is too short, or missing.</exception>
    public void Apply(TokenEncoding first, TokenEncoding? second, int length)
    {
        if (length == 0)
        {
            first.Truncate(0, Stride, FromLeft);
            second?.Truncate(0, Stride, FromLeft);
            return;
        }

        var remove = first.Length + (second?.Length ?? 0) - length;
        if (remove <= 0)
            return;
        if (Strategy == TruncationStrategy.LongestFirst)
        {
            var (ofFirst, ofSecond) = second is null ? (length, 0) : Share(first.Length, second.Length, length);
            first.Truncate(ofFirst, Stride, FromLeft);
            second?.Truncate(ofSecond, Stride, FromLeft);
            return;
        }

        var target = Strategy == TruncationStrategy.OnlyFirst
            ? first
            : second ?? throw new InvalidOperationException("The second text is to be cut, but there is none.");
        if (target.Length <= remove)
            throw new InvalidOperationException($"A text of {target.Length} tokens cannot be cut by {remove}.");
        target.Truncate(target.Length - remove, Stride, FromLeft);
    }

    /// <summary>Room for each text of a pair: the longer one gives way first; an odd token goes to it.</summary>
    public static (int First, int Second) Share(int first, int second, int room)
    {
        var (shorter, longer) = (Math.Min(first, second), Math.Max(first, second));
        longer = shorter > room ? shorter : Math.Max(shorter, room - shorter);
        if (shorter + longer > room)
            (shorter, longer) = (room / 2, room / 2 + room % 2);
        return first > second ? (longer, shorter) : (shorter, longer);
    }
}

/// <summary>How texts are filled up.</summary>
/// <param name="Id">Id of the padding token.</param>
/// <param name="Token">Its text.</param>
/// <param name="TypeId">Its segment.</param>
/// <param name="Length">Length to fill up to; null for that of the longest text of a batch.</param>
/// <param name="MultipleOf">The length is rounded up to a multiple of it; 0 for none.</param>
/// <param name="OnLeft">Whether padding comes before the text.</param>
internal sealed record PaddingSettings(
    int Id,
    string Token,
    int TypeId = 0,
    int? Length = null,
    int MultipleOf = 0,
    bool OnLeft = false)
{
    /// <summary>Fills a batch up.</summary>
    public void Apply(params IReadOnlyList<TokenEncoding> batch)
    {
        var length = Length ?? (batch.Count == 0 ? 0 : batch.Max(e => e.Length));
        if (MultipleOf > 0 && length % MultipleOf > 0)
            length += MultipleOf - length % MultipleOf;
        foreach (var encoding in batch)
            encoding.Pad(length, this);
    }
}
