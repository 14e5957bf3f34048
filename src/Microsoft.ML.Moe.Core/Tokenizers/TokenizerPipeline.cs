namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// From text to tokens and back: added tokens, normalizer, pre-tokenizer, model, post-processor. Safe to use from several threads.
/// </summary>
internal sealed class TokenizerPipeline
{
    [ThreadStatic]
    private static PieceText? _pieceText;
    [ThreadStatic]
    private static List<PieceToken>? _pieceTokens;
    private readonly TokenizerParts _parts;

    /// <summary>Puts the parts together.</summary>
    public TokenizerPipeline(TokenizerParts parts)
    {
        _parts = parts;
        Added = new AddedVocabulary(parts.Added, parts.Model, parts.Normalizer);
        VocabularySize = Math.Max(parts.Model.Size, Added.Size);
    }

    /// <summary>Tokens that are found before the model.</summary>
    public AddedVocabulary Added { get; }

    /// <summary>The model.</summary>
    public SubwordModel Model => _parts.Model;

    /// <summary>How the file says that texts are cut.</summary>
    public TruncationSettings? Truncation => _parts.Truncation;

    /// <summary>How the file says that texts are filled up.</summary>
    public PaddingSettings? Padding => _parts.Padding;

    /// <summary>One more than the largest id.</summary>
    public int VocabularySize { get; }

    /// <summary>Number of tokens that are put around a text or a pair.</summary>
    public int SpecialTokensOf(bool isPair) => _parts.PostProcessor?.AddedTokens(isPair) ?? 0;

    /// <summary>Encodes a text or a pair, not filled up.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null for none.</param>
    /// <param name="addsSpecialTokens">Whether special tokens are put in.</param>
    /// <param name="truncation">How it is cut; null for not at all.</param>
    /// <param name="withTokens">Whether the texts of the tokens are wanted.</param>
    public TokenEncoding Encode(
        string text, string? pair, bool addsSpecialTokens, TruncationSettings? truncation = null, bool withTokens = false)
    {
        withTokens |= _parts.PostProcessor?.ReadsTokens ?? false;
        var first = EncodeText(text, withTokens);
        var second = pair is null ? null : EncodeText(pair, withTokens);
        second?.SetTypes(1);
        if (truncation is not null)
            truncation.Apply(first, second, RoomOf(truncation, addsSpecialTokens ? SpecialTokensOf(second is not null) : 0));
        return Join(first, second, addsSpecialTokens);
    }

    /// <summary>Puts special tokens around ids.</summary>
    public (int[] Ids, int[] TypeIds) AddSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair)
    {
        var other = isPair ? OfIds(second) : null;
        other?.SetTypes(1);
        var encoding = Join(OfIds(first), other, addsSpecialTokens: true);
        return (encoding.Ids, encoding.TypeIds);

        static TokenEncoding OfIds(ReadOnlySpan<int> ids)
        {
            var tokens = new string[ids.Length];
            Array.Fill(tokens, "");
            return new TokenEncoding(ids.ToArray(), new (int, int)[ids.Length], tokens);
        }
    }

    /// <summary>Ids of a text without special tokens.</summary>
    public int[] EncodeIds(ReadOnlySpan<char> text)
    {
        var tokens = Tokenize(text, normalizes: true, splits: true, out _);
        var ids = new int[tokens.Count];
        for (var i = 0; i < ids.Length; i++)
            ids[i] = tokens[i].Id;
        return ids;
    }

    /// <summary>Tokens of a text without special ones; of the thread, until the next call.</summary>
    /// <param name="text">The text.</param>
    /// <param name="normalizes">Whether it is normalized.</param>
    /// <param name="splits">Whether the pre-tokenizer splits it.</param>
    /// <param name="normalized">The text that the tokens' places are of.</param>
    public List<PieceToken> Tokenize(ReadOnlySpan<char> text, bool normalizes, bool splits, out AlignedText normalized)
    {
        if (_pieceText is null || _pieceText.IsLarge)
            (_pieceText, _pieceTokens) = (new PieceText(), []);
        var (pieces, tokens) = (_pieceText, _pieceTokens!);
        tokens.Clear();
        pieces.Reset(text);
        Added.Split(pieces, normalizes ? _parts.Normalizer : null);
        if (splits)
            _parts.PreTokenizer?.Split(pieces);
        foreach (var piece in pieces.Pieces)
        {
            if (piece.Token != Piece.NoToken)
                tokens.Add(new PieceToken(piece.Token, piece.Start, piece.Start + piece.Length, IsAdded: true));
            else
                _parts.Model.Tokenize(pieces.Text.Units.Slice(piece.Start, piece.Length), piece.Start, tokens);
        }

        normalized = pieces.Text;
        return tokens;
    }

    /// <summary>What a token's text is: the surface of added and of unknown ones.</summary>
    public string TextOf(PieceToken token, AlignedText text)
    {
        var surface = text.Units[token.Start..token.End];
        return token.IsAdded ? surface.ToString() : _parts.Model.TextOf(token.Id, surface) ?? "";
    }

    /// <summary>Text of an id: of an added token, or of the model's; null for none.</summary>
    public string? TextOf(int id) => Added.Text(id) ?? _parts.Model.TextOf(id);

    /// <summary>Id of a token; −1 for none.</summary>
    public int IdOf(string token) => Added.TryGetId(token, out var id) || _parts.Model.TryGetId(token, out id) ? id : -1;

    /// <summary>Text of ids; those without a token are left out.</summary>
    public string Decode(IEnumerable<int> ids, bool skipsSpecialTokens)
    {
        var tokens = new List<string>();
        foreach (var id in ids)
            if ((Added.DecodedText(id) ?? _parts.Model.TextOf(id)) is { } token && !(skipsSpecialTokens && Added.IsSpecial(token)))
                tokens.Add(token);
        return _parts.Decoder is null ? string.Join(' ', tokens) : string.Concat(_parts.Decoder.Decode(tokens));
    }

    private static int RoomOf(TruncationSettings truncation, int special) => truncation.Length >= special
        ? truncation.Length - special
        : throw new InvalidOperationException($"Texts are cut to {truncation.Length} tokens, but {special} special ones are put in.");

    private TokenEncoding Join(TokenEncoding first, TokenEncoding? second, bool addsSpecialTokens)
    {
        List<TokenEncoding> encodings = second is null ? [first] : [first, second];
        encodings = _parts.PostProcessor?.Process(encodings, addsSpecialTokens) ?? encodings;
        if (encodings.Count == 0)
            return first.Part(0, 0);
        var encoding = encodings[0];
        foreach (var other in encodings.Skip(1))
            encoding.Append(other);
        return encoding;
    }

    private TokenEncoding EncodeText(string text, bool withTokens)
    {
        var tokens = Tokenize(text, normalizes: true, splits: true, out var normalized);
        var ids = new int[tokens.Count];
        var offsets = new (int, int)[tokens.Count];
        var texts = withTokens ? new string[tokens.Count] : null;
        var starts = normalized.Starts;
        var ends = normalized.Ends;
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = tokens[i].Id;
            offsets[i] = (starts[tokens[i].Start], ends[tokens[i].End - 1]);
            if (texts is not null)
                texts[i] = TextOf(tokens[i], normalized);
        }

        return new TokenEncoding(ids, offsets, texts) { Source = text };
    }
}
