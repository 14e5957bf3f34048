namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>An encoded text or pair, and what truncation has cut off it.</summary>
internal sealed class TokenEncoding
{
    /// <summary>Creates an encoding without type ids of one sequence.</summary>
    public TokenEncoding(int[] ids, (int Start, int End)[] offsets, string[]? tokens)
    {
        Ids = ids;
        Offsets = offsets;
        Tokens = tokens;
        TypeIds = new int[ids.Length];
        IsSpecial = new bool[ids.Length];
        Attention = new bool[ids.Length];
        Array.Fill(Attention, true);
    }

    private TokenEncoding()
    {
        (Ids, Offsets, TypeIds, IsSpecial, Attention) = ([], [], [], [], []);
    }

    /// <summary>Ids.</summary>
    public int[] Ids { get; private set; }

    /// <summary>Where each token stands in its text, in UTF-16 units; (0, 0) for one that was put in.</summary>
    public (int Start, int End)[] Offsets { get; private set; }

    /// <summary>Texts of the tokens; null where they were not asked for.</summary>
    public string[]? Tokens { get; private set; }

    /// <summary>The text that the offsets are of, of an encoding that no post-processor has seen.</summary>
    public string Source { get; init; } = "";

    /// <summary>Segment of each token.</summary>
    public int[] TypeIds { get; private set; }

    /// <summary>Whether a token was put in by the post-processor or as padding.</summary>
    public bool[] IsSpecial { get; private set; }

    /// <summary>False for padding.</summary>
    public bool[] Attention { get; private set; }

    /// <summary>Parts that truncation has cut off, as encodings of their own.</summary>
    public List<TokenEncoding> Overflowing { get; private set; } = [];

    /// <summary>Number of tokens.</summary>
    public int Length => Ids.Length;

    /// <summary>Tokens put in by a post-processor.</summary>
    public static TokenEncoding OfSpecial(int[] ids, string[] tokens, int typeId)
    {
        var encoding = new TokenEncoding(ids, new (int, int)[ids.Length], tokens);
        Array.Fill(encoding.TypeIds, typeId);
        Array.Fill(encoding.IsSpecial, true);
        return encoding;
    }

    /// <summary>Gives all tokens one type; those cut off keep theirs.</summary>
    public void SetTypes(int typeId) => Array.Fill(TypeIds, typeId);

    /// <summary>A copy of the tokens, without those cut off.</summary>
    public TokenEncoding Part(int start, int end) => new()
    {
        Source = Source,
        Ids = Ids[start..end],
        Offsets = Offsets[start..end],
        Tokens = Tokens?[start..end],
        TypeIds = TypeIds[start..end],
        IsSpecial = IsSpecial[start..end],
        Attention = Attention[start..end],
    };

    /// <summary>A copy, those cut off included.</summary>
    public TokenEncoding Copy()
    {
        var copy = Part(0, Length);
        copy.Overflowing = [.. Overflowing.Select(o => o.Copy())];
        return copy;
    }

    /// <summary>Cuts down to a length; what is cut off goes into parts of that length that overlap by the stride.</summary>
    /// <exception cref="InvalidOperationException">The stride is not smaller than the length.</exception>
    public void Truncate(int length, int stride, bool fromLeft)
    {
        if (length >= Length)
            return;
        if (length == 0)
        {
            var whole = Part(0, Length);
            whole.Overflowing = Overflowing;
            Take(Part(0, 0));
            Overflowing = [whole];
            return;
        }

        if (stride >= length)
            throw new InvalidOperationException(
                $"Texts are cut to {length} tokens, special ones not counted: a stride of {stride} is too large.");
        var parts = new List<TokenEncoding>();
        if (fromLeft)
        {
            for (var end = Length; end > 0; end -= length - stride)
            {
                parts.Add(Part(Math.Max(0, end - length), end));
                if (end <= length)
                    break;
            }
        }
        else
        {
            for (var start = 0; start < Length; start += length - stride)
            {
                parts.Add(Part(start, Math.Min(start + length, Length)));
                if (start + length >= Length)
                    break;
            }
        }

        Take(parts[0]);
        Overflowing = parts[1..];
    }

    /// <summary>Appends another encoding; parts cut off are combined, each of these with each of those.</summary>
    public void Append(TokenEncoding other)
    {
        var overflowing = new List<TokenEncoding>();
        foreach (var own in Overflowing)
        {
            overflowing.Add(own.Joined(other));
            foreach (var part in other.Overflowing)
                overflowing.Add(own.Joined(part));
        }

        foreach (var part in other.Overflowing)
            overflowing.Add(Joined(part));
        Ids = [.. Ids, .. other.Ids];
        Offsets = [.. Offsets, .. other.Offsets];
        Tokens = Tokens is null || other.Tokens is null ? null : [.. Tokens, .. other.Tokens];
        TypeIds = [.. TypeIds, .. other.TypeIds];
        IsSpecial = [.. IsSpecial, .. other.IsSpecial];
        Attention = [.. Attention, .. other.Attention];
        Overflowing = overflowing;
    }

    /// <summary>Fills up to a length, parts cut off too.</summary>
    public void Pad(int length, PaddingSettings padding)
    {
        foreach (var part in Overflowing)
            part.Pad(length, padding);
        if (Length >= length)
            return;
        var ids = new int[length - Length];
        Array.Fill(ids, padding.Id);
        var tokens = new string[ids.Length];
        Array.Fill(tokens, padding.Token);
        var fill = OfSpecial(ids, tokens, padding.TypeId);
        fill.Tokens = Tokens is null ? null : tokens;
        Array.Clear(fill.Attention);
        var overflowing = Overflowing;
        Overflowing = [];
        if (padding.OnLeft)
        {
            fill.Append(this);
            Take(fill);
        }
        else
        {
            Append(fill);
        }

        Overflowing = overflowing;
    }

    private TokenEncoding Joined(TokenEncoding other)
    {
        var joined = Copy();
        joined.Append(other.Copy());
        return joined;
    }

    private void Take(TokenEncoding other)
    {
        (Ids, Offsets, Tokens) = (other.Ids, other.Offsets, other.Tokens);
        (TypeIds, IsSpecial, Attention) = (other.TypeIds, other.IsSpecial, other.Attention);
    }
}
