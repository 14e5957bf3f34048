namespace Microsoft.ML.Offline;

/// <summary>One piece a line, whose number (from 0) is its id.</summary>
internal sealed class WordPieceVocabulary
{
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<int, string> _pieces = [];

    internal WordPieceVocabulary(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream, "vocabStream");
        using var reader = new StreamReader(stream, leaveOpen: true);
        for (var id = 0; reader.ReadLine() is { } piece; id++)
        {
            if (piece.Length == 0)
                continue;
            _ids.Add(piece, id);
            _pieces.Add(id, piece);
        }
    }

    internal int? IdOf(string piece) => piece != null && _ids.TryGetValue(piece, out var id) ? id : null;

    internal string PieceOf(int id) => _pieces.GetValueOrDefault(id);

    /// <summary>Lets a piece be found under another spelling too.</summary>
    internal void AddSpelling(string piece, int id) => _ids[piece] = id;

    /// <summary>How many characters the longest piece at the start of the text covers; 0: there is none.</summary>
    internal int LongestPiece(string prefix, ReadOnlySpan<char> text, out int id)
    {
        var lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var buffer = new char[prefix.Length + text.Length];
        prefix.CopyTo(buffer);
        text.CopyTo(buffer.AsSpan(prefix.Length));
        for (var length = text.Length; length > 0; length--)
            if (lookup.TryGetValue(buffer.AsSpan(0, prefix.Length + length), out id))
                return length;
        id = 0;
        return 0;
    }
}
