namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Text of tokens that come one after the other, in pieces that hold no parts of characters: what is not UTF-8 yet waits for the next
/// token.
/// </summary>
/// <param name="decode">Makes text of tokens.</param>
internal sealed class IncrementalText(Func<IReadOnlyList<int>, string> decode)
{
    private const char Replacement = '\uFFFD';
    // tokens whose text is out, as context of the next ones, and those whose text is not
    private readonly List<int> _tokens = [];
    private int _done;
    private string _doneText = "";

    /// <summary>Takes a token.</summary>
    /// <returns>The text that is complete with it; "" where there is none.</returns>
    public string Append(int token)
    {
        _tokens.Add(token);
        return Take(isLast: false);
    }

    /// <summary>The text that is left, with U+FFFD for what is no character.</summary>
    public string End() => Take(isLast: true);

    private string Take(bool isLast)
    {
        var all = decode(_tokens);
        if (all.Length <= _doneText.Length || (!isLast && all[^1] == Replacement))
            return "";
        var text = all[_doneText.Length..];
        // the new tokens are context enough where they have text of their own: what a decoder does to the first one then does not concern
        // the next
        int[] last = [.. _tokens.Skip(_done)];
        if (decode(last) is { Length: > 0 } own)
        {
            _tokens.RemoveRange(0, _done);
            _doneText = own;
        }
        else
            _doneText = all;
        _done = _tokens.Count;
        return text;
    }
}
