using System.Collections.Concurrent;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Words with hashed character n-grams (Bojanowski et al. 2017, "Enriching word vectors with subword information"): each word is
/// one table row for itself and one for each of its character 3- to 5-grams, word boundaries included. Needs no vocabulary, takes
/// any Unicode text, and a word never seen in training still says something through its parts.
/// </summary>
internal sealed class HashedWordInput : TableTextInput
{
    private const int ShortestGram = 3;
    private const int LongestGram = 5;
    private const ulong WordSeed = 1;
    private const ulong GramSeed = 2;

    /// <summary>
    /// Bytes of remembered words while rows are read to learn from, which hold on to them: a word that is not remembered would be there once
    /// for each time that it occurs.
    /// </summary>
    private const long MostBytesWhileLearning = 1L << 27;

    /// <summary>Bytes of a remembered word beside its characters and table rows.</summary>
    private const int BytesOfWord = 192;

    private readonly int _hashBits;
    private readonly long _mostBytes;
    private readonly ConcurrentDictionary<string, TokenFeatures> _cache = new();
    private long _mostBytesNow;
    private long _bytes;

    public HashedWordInput(TextInputConfig config)
        : base(config)
    {
        _hashBits = config.HashBits;
        _mostBytes = _mostBytesNow = (long)config.WordCacheMebibytes << 20;
    }

    /// <summary>Bytes that remembered words take, about; beyond the most that they may, words are hashed anew each time.</summary>
    internal long RememberedBytes => Interlocked.Read(ref _bytes);

    internal override void BeginLearning() => _mostBytesNow = Math.Max(_mostBytes, MostBytesWhileLearning);

    internal override void EndLearning()
    {
        _cache.Clear();
        (_mostBytesNow, _bytes) = (_mostBytes, 0);
    }

    public override int TableRows => SpecialRows + (1 << _hashBits);

    private protected override (TokenFeatures[] Tokens, int Count) Split(string text, List<Range> words, int wordCount)
    {
        var lookup = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        var tokens = new TokenFeatures[Math.Min(words.Count, MaximumTokens)];
        for (var i = 0; i < tokens.Length; i++)
        {
            var word = text.AsSpan()[words[i]];
            if (!lookup.TryGetValue(word, out var token))
            {
                token = Hash(word);
                var bytes = BytesOfWord + sizeof(char) * token.Text!.Length + sizeof(int) * token.Rows.Length;
                if (RememberedBytes + bytes <= _mostBytesNow && _cache.TryAdd(token.Text, token))
                    Interlocked.Add(ref _bytes, bytes);
            }

            tokens[i] = token;
        }

        return (tokens, wordCount);
    }

    private TokenFeatures Hash(ReadOnlySpan<char> word)
    {
        Span<char> bounded = stackalloc char[word.Length + 2];
        bounded[0] = '<';
        word.CopyTo(bounded[1..]);
        bounded[^1] = '>';
        var rows = new List<int> { Row(StableHash.Of(word, WordSeed)) };
        for (var length = ShortestGram; length <= LongestGram; length++)
            for (var start = 0; start + length <= bounded.Length; start++)
                rows.Add(Row(StableHash.Of(bounded.Slice(start, length), GramSeed)));
        return new TokenFeatures([.. rows], word.ToString());
    }

    private protected override string TextOfRow(int row) =>
        throw new InvalidOperationException("Hashed words carry their text: this token is from another input.");

    private int Row(ulong hash) => SpecialRows + StableHash.Bucket(hash, _hashBits);
}
