using System.Buffers;
using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Unigram language model (Kudo 2018, section 3.2): the segmentation with the largest sum of the tokens' scores. Adjacent unknown
/// characters
/// become one token. Source: huggingface/tokenizers, models/unigram.
/// </summary>
internal sealed class UnigramModel : SubwordModel
{
    private const double UnknownPenalty = 10;
    private readonly TokenTrie _trie = new();
    private readonly double[] _scores;
    private readonly double _unknownScore;
    private readonly int[]? _byteTokens;

    /// <summary>Creates the model.</summary>
    /// <param name="tokens">Token and score (logarithm of a probability) by id.</param>
    /// <param name="unknown">Id of the unknown token; −1 without one.</param>
    /// <param name="byteFallback">Whether unknown text becomes tokens of its bytes.</param>
    public UnigramModel(IReadOnlyList<(string Text, double Score)> tokens, int unknown, bool byteFallback)
        : base(IdsOf(tokens))
    {
        Unknown = unknown;
        _scores = [.. tokens.Select(t => t.Score)];
        _unknownScore = (tokens.Count == 0 ? 0 : _scores.Min()) - UnknownPenalty;
        foreach (var (text, id) in Ids)
            _trie.Add(text, id);
        var bytes = byteFallback ? ByteTokens() : null;
        _byteTokens = bytes;
        AllTexts = [.. tokens.Select(t => t.Text)];
    }

    public override int Unknown { get; }

    /// <summary>Tokens by id, equal ones included.</summary>
    public IReadOnlyList<string> AllTexts { get; }

    public override string? TextOf(int id, ReadOnlySpan<char> surface) => id == Unknown ? surface.ToString() : TextOf(id);

    public override void Tokenize(ReadOnlySpan<char> piece, int offset, List<PieceToken> tokens)
    {
        var best = ArrayPool<Node>.Shared.Rent(piece.Length + 1);
        try
        {
            FindBest(piece, best);
            Collect(piece, best, offset, tokens);
        }
        finally
        {
            ArrayPool<Node>.Shared.Return(best);
        }
    }

    private static Dictionary<string, int> IdsOf(IReadOnlyList<(string Text, double Score)> tokens)
    {
        var ids = new Dictionary<string, int>(tokens.Count);
        for (var id = 0; id < tokens.Count; id++)
            ids[tokens[id].Text] = id;
        return ids;
    }

    /// <summary>For every place, the best way to it.</summary>
    private void FindBest(ReadOnlySpan<char> piece, Node[] best)
    {
        best.AsSpan(0, piece.Length + 1).Fill(new Node(0, -1, 0));
        for (var start = 0; start < piece.Length;)
        {
            var score = best[start].Score;
            CodePoints.At(piece, start, out var length);
            var hasSingle = false;
            var node = TokenTrie.Root;
            for (var end = start; end < piece.Length;)
            {
                if ((node = _trie.Step(node, piece[end++])) < 0)
                    break;
                var id = _trie.ValueOf(node);
                if (id == TokenTrie.NoValue)
                    continue;
                Offer(best, end, score + _scores[id], start, id);
                hasSingle |= end - start == length;
            }

            if (!hasSingle)
            {
                var end = start + length;
                if (best[end].Start < 0 || score + _unknownScore > best[end].Score)
                {
                    if (Unknown < 0)
                        throw new InvalidOperationException("The vocabulary has no unknown token, and the text has unknown characters.");
                    best[end] = new Node(score + _unknownScore, start, Unknown);
                }
            }

            start += length;
        }
    }

    private static void Offer(Node[] best, int end, double score, int start, int id)
    {
        if (best[end].Start < 0 || score > best[end].Score)
            best[end] = new Node(score, start, id);
    }

    /// <summary>Follows the best way back and adds its tokens.</summary>
    private void Collect(ReadOnlySpan<char> piece, Node[] best, int offset, List<PieceToken> tokens)
    {
        var first = tokens.Count;
        for (var end = piece.Length; end > 0;)
        {
            var start = best[end].Start;
            if (best[end].Id == Unknown && Unknown >= 0)
            {
                while (start > 0 && best[start].Id == Unknown)
                    start = best[start].Start;
                AddUnknown(piece[start..end], offset + start, tokens);
            }
            else
            {
                tokens.Add(new PieceToken(best[end].Id, offset + start, offset + end));
            }

            end = start;
        }

        tokens.Reverse(first, tokens.Count - first);
    }

    /// <summary>Adds unknown text, its bytes last first.</summary>
    private void AddUnknown(ReadOnlySpan<char> text, int offset, List<PieceToken> tokens)
    {
        if (TryGetId(text, out var id))
        {
            tokens.Add(new PieceToken(id, offset, offset + text.Length));
            return;
        }

        if (_byteTokens is not null)
        {
            var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
            var count = Encoding.UTF8.GetBytes(text, bytes);
            if (!bytes.AsSpan(0, count).ContainsAnyMissing(_byteTokens))
            {
                for (var i = count - 1; i >= 0; i--)
                    tokens.Add(new PieceToken(_byteTokens[bytes[i]], offset, offset + text.Length));
                return;
            }
        }

        tokens.Add(new PieceToken(Unknown, offset, offset + text.Length));
    }

    private readonly record struct Node(double Score, int Start, int Id);
}

/// <summary>Bytes and their tokens.</summary>
internal static class ByteTokenExtensions
{
    /// <summary>Whether a byte has no token.</summary>
    public static bool ContainsAnyMissing(this Span<byte> bytes, int[] byteTokens)
    {
        foreach (var b in bytes)
            if (byteTokens[b] < 0)
                return true;
        return false;
    }
}
