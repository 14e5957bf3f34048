using System.Text;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Text of a sequence that is being generated, cut before the first stop string.</summary>
/// <param name="decode">Makes text of tokens; null: there is no text.</param>
/// <param name="stops">Strings that end it, none empty.</param>
internal sealed class SequenceText(Func<IReadOnlyList<int>, string>? decode, IReadOnlyList<string> stops)
{
    private readonly IncrementalText? _pieces = decode is null ? null : new IncrementalText(decode);
    private readonly StopText _stop = new(stops);
    private readonly StringBuilder _text = new();

    /// <summary>Whether a stop string was found.</summary>
    public bool IsStopped => _stop.IsFound;

    /// <summary>The text so far; null where there is none.</summary>
    public string? Text => _pieces is null ? null : _text.ToString();

    /// <summary>Takes a token.</summary>
    /// <returns>The text that is certain with it.</returns>
    public string Append(int token) => _pieces is null ? "" : Add(_stop.Append(_pieces.Append(token)));

    /// <summary>Ends the sequence.</summary>
    /// <returns>The text that was held back.</returns>
    public string End() => _pieces is null || IsStopped ? "" : Add(_stop.Append(_pieces.End()) + _stop.End());

    private string Add(string piece)
    {
        _text.Append(piece);
        return piece;
    }
}
