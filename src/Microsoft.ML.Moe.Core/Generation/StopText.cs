namespace Microsoft.ML.Moe.Generation;

/// <summary>Finds strings that end a text in text that comes in pieces; holds back what could be the beginning of one.</summary>
/// <param name="stops">The strings, none empty.</param>
internal sealed class StopText(IReadOnlyList<string> stops)
{
    private string _held = "";

    /// <summary>Whether one was found.</summary>
    public bool IsFound { get; private set; }

    /// <summary>Takes a piece.</summary>
    /// <returns>The text that surely stands before any of the strings.</returns>
    public string Append(string piece)
    {
        if (IsFound)
            return "";
        var text = _held + piece;
        var end = stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(-1).Min();
        if (end >= 0)
        {
            IsFound = true;
            _held = "";
            return text[..end];
        }

        end = text.Length;
        for (var start = text.Length - 1; start >= 0; start--)
            if (stops.Any(stop => stop.AsSpan().StartsWith(text.AsSpan(start))))
                end = start;
        _held = text[end..];
        return text[..end];
    }

    /// <summary>The text that was held back, where no string follows.</summary>
    public string End()
    {
        var text = _held;
        _held = "";
        return text;
    }
}
