using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Settings of <see cref="BpeModel"/>.</summary>
/// <param name="Unknown">Token for characters that the vocabulary lacks; without one they vanish.</param>
/// <param name="Prefix">What tokens inside words begin with.</param>
/// <param name="Suffix">What tokens at the end of words end with.</param>
/// <param name="FusesUnknown">Whether adjacent unknown characters become one token.</param>
/// <param name="ByteFallback">Whether characters that the vocabulary lacks become tokens of their bytes.</param>
/// <param name="IgnoresMerges">Whether a piece that is a token is taken whole.</param>
internal sealed record BpeSettings(
    string? Unknown = null,
    string? Prefix = null,
    string? Suffix = null,
    bool FusesUnknown = false,
    bool ByteFallback = false,
    bool IgnoresMerges = false);

/// <summary>
/// Byte-pair encoding (Sennrich et al. 2016, section 3.2): a piece's characters, of which the pair that was merged first in training is
/// merged
/// again and again. Source: huggingface/tokenizers, models/bpe.
/// </summary>
internal sealed class BpeModel : SubwordModel
{
    private const int QueueFrom = 48;
    private readonly BpeSettings _settings;
    private readonly PairTable _merges;
    private readonly int[] _single = new int[0x400];
    private readonly int[]? _byteTokens;

    /// <summary>Creates the model.</summary>
    /// <param name="ids">Ids by token.</param>
    /// <param name="merges">Pairs of tokens, those to be merged first in front.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="where">What errors call the place the merges come from.</param>
    /// <exception cref="InvalidDataException">A merge names or makes a token that the vocabulary lacks.</exception>
    public BpeModel(Dictionary<string, int> ids, IReadOnlyList<(string First, string Second)> merges, BpeSettings settings, string where)
        : base(ids)
    {
        _settings = settings;
        _merges = new PairTable(merges.Count);
        var prefix = settings.Prefix?.Length ?? 0;
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (first, second) = merges[rank];
            if (second.Length < prefix)
                throw new InvalidDataException(
                    $"{where}: merge {rank} has the part '{second}', which lacks the prefix '{settings.Prefix}'.");
            _merges.Set(IdOf(first), IdOf(second), rank, IdOf(string.Concat(first, second.AsSpan(prefix))));

            int IdOf(string token) => ids.TryGetValue(token, out var id)
                ? id
                : throw new InvalidDataException($"{where}: merge {rank} needs the token '{token}', which the vocabulary lacks.");
        }

        if (settings.Unknown is not null)
            Unknown = ids.GetValueOrDefault(settings.Unknown, -1);
        _byteTokens = settings.ByteFallback ? ByteTokens() : null;
        for (var c = 0; c < _single.Length; c++)
            _single[c] = ids.GetValueOrDefault(((char)c).ToString(), -1);
    }

    public override int Unknown { get; } = -1;

    public override void Tokenize(ReadOnlySpan<char> piece, int offset, List<PieceToken> tokens)
    {
        if (_settings.IgnoresMerges && TryGetId(piece, out var whole))
        {
            tokens.Add(new PieceToken(whole, offset, offset + piece.Length));
            return;
        }

        var word = BpeWord.Rent();
        Fill(word, piece);
        if (word.Count < QueueFrom)
            word.MergeByScanning(_merges);
        else
            word.MergeByQueue(_merges);
        AddTokens(word, piece, offset, tokens);
    }

    /// <summary>A word's characters as symbols, whose lengths are bytes in UTF-8.</summary>
    private void Fill(BpeWord word, ReadOnlySpan<char> piece)
    {
        var (unknown, unknownBytes) = (-1, 0);
        Span<byte> bytes = stackalloc byte[16];
        for (var i = 0; i < piece.Length;)
        {
            var codePoint = CodePoints.At(piece, i, out var units);
            var length = CodePoints.Utf8Length(codePoint);
            var character = piece.Slice(i, units);
            var (isFirst, isLast) = (i == 0, i + units == piece.Length);
            i += units;
            if (TryFindCharacter(character, isFirst, isLast, out var id))
            {
                if (unknown >= 0)
                    word.Add(unknown, unknownBytes);
                unknown = -1;
                word.Add(id, length);
                continue;
            }

            if (_byteTokens is not null)
            {
                var text = Encoding.UTF8.GetBytes(Decorate(character, isFirst, isLast));
                if (!text.AsSpan().ContainsAnyMissing(_byteTokens))
                {
                    foreach (var b in text)
                        word.Add(_byteTokens[b], 1);
                    continue;
                }
            }

            if (_settings.Unknown is null)
                continue;
            if (Unknown < 0)
                throw new InvalidOperationException(
                    $"The vocabulary lacks its own unknown token '{_settings.Unknown}', and the text needs it.");
            if (unknown >= 0 && _settings.FusesUnknown)
            {
                unknownBytes += length;
                continue;
            }

            if (unknown >= 0)
                word.Add(unknown, unknownBytes);
            (unknown, unknownBytes) = (Unknown, length);
        }

        if (unknown >= 0)
            word.Add(unknown, unknownBytes);
    }

    private bool TryFindCharacter(ReadOnlySpan<char> character, bool isFirst, bool isLast, out int id)
    {
        var isPlain = (isFirst || string.IsNullOrEmpty(_settings.Prefix)) && (!isLast || string.IsNullOrEmpty(_settings.Suffix));
        if (!isPlain)
            return TryGetId(Decorate(character, isFirst, isLast), out id);
        if (character.Length > 1 || character[0] >= _single.Length)
            return TryGetId(character, out id);
        id = _single[character[0]];
        return id >= 0;
    }

    private string Decorate(ReadOnlySpan<char> character, bool isFirst, bool isLast) =>
        string.Concat(isFirst ? "" : _settings.Prefix, character, isLast ? _settings.Suffix : "");

    /// <summary>Adds tokens; their bytes are counted off along the piece.</summary>
    private static void AddTokens(BpeWord word, ReadOnlySpan<char> piece, int offset, List<PieceToken> tokens)
    {
        // unit: the character that holds byte 'at'; next: the first byte behind that character
        var (unit, units, next, at) = (0, 0, 0, 0);
        for (var s = 0; s >= 0 && s < word.Count; s = word.Next(s))
        {
            var length = word.Length(s);
            if (length == 0)
                continue;
            Seek(piece, at, ref unit, ref units, ref next);
            var start = unit;
            at += length;
            Seek(piece, at - 1, ref unit, ref units, ref next);
            tokens.Add(new PieceToken(word.Id(s), offset + start, offset + unit + units));
        }
    }

    private static void Seek(ReadOnlySpan<char> piece, int at, ref int unit, ref int units, ref int next)
    {
        while (at >= next && unit + units < piece.Length)
        {
            unit += units;
            next += CodePoints.Utf8Length(CodePoints.At(piece, unit, out units));
        }
    }
}
