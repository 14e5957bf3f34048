using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Collects the features of a text or a pair: which words and pairs of neighbouring words occur (order and number do not matter; a
/// second text's are kept apart), which character 3- to 5-grams of words where they are asked for, and for a pair which words both
/// texts share and which only one of them has.
/// </summary>
/// <param name="characterGrams">Whether character n-grams are features.</param>
internal sealed class LinearRowBuilder(bool characterGrams)
{
    /// <summary>Words of each text that are looked at; bounds the cost of a very long row.</summary>
    public const int MaximumWords = 2048;

    /// <summary>Characters of each text whose n-grams are looked at.</summary>
    public const int MaximumGramCharacters = 1 << 14;

    private const int ShortestGram = 3;
    private const int LongestGram = 5;
    private const int LongestRun = 64;

    // The first two are those of models saved before: their tables go by the same hashes.
    private const ulong WordKind = 11;
    private const ulong PairKind = 12;
    private const ulong GramKind = 13;
    private const ulong SharedKind = 14;
    private const ulong OnlyFirstKind = 15;
    private const ulong OnlySecondKind = 16;

    private readonly List<ulong> _words = [];
    private readonly List<ulong> _grams = [];
    private readonly TextWords[] _texts = [new(), new()];
    private int _count;

    /// <summary>Adds the next text: the first, or the second of a pair.</summary>
    /// <param name="text">The text, lower-cased where the model lower-cases.</param>
    /// <param name="words">Its words and symbols, in order.</param>
    /// <exception cref="InvalidOperationException">There are two texts already.</exception>
    public LinearRowBuilder Add(ReadOnlySpan<char> text, IReadOnlyList<Range> words)
    {
        if (_count == _texts.Length)
            throw new InvalidOperationException("A row has two texts at most.");
        var own = _texts[_count];
        own.Clear();
        var previous = StableHash.Of("", WordKind);
        var count = Math.Min(words.Count, MaximumWords);
        for (var i = 0; i < count; i++)
        {
            var word = StableHash.Of(text[words[i]], WordKind);
            var pair = StableHash.Combine(previous, word);
            own.Add(text[words[i]], word, pair);
            _words.Add(IdOf(word, WordKind));
            _words.Add(IdOf(pair, PairKind));
            previous = word;
        }

        if (characterGrams)
            AddGrams(text, words, count);
        _count++;
        return this;
    }

    /// <summary>The row of the texts added since the last call.</summary>
    public LinearRow Build()
    {
        var isPair = _count == 2;
        var blocks = new ulong[isPair ? 3 : characterGrams ? 2 : 1][];
        blocks[0] = Distinct(_words);
        if (blocks.Length > 1)
            blocks[1] = Distinct(_grams);
        if (isPair)
            blocks[2] = Overlap();
        var row = new LinearRow(blocks, isPair ? PairCounts.Of(_texts[0], _texts[1]) : []);
        _words.Clear();
        _grams.Clear();
        _count = 0;
        return row;
    }

    private ulong[] Overlap()
    {
        var (first, second) = (_texts[0].Words, _texts[1].Words);
        var ids = new List<ulong>(first.Count + second.Count);
        foreach (var word in first)
            ids.Add(Shorten(StableHash.Combine(word, second.Contains(word) ? SharedKind : OnlyFirstKind)));
        foreach (var word in second)
            if (!first.Contains(word))
                ids.Add(Shorten(StableHash.Combine(word, OnlySecondKind)));
        return Distinct(ids);
    }

    /// <summary>
    /// N-grams of each word between marks of its ends. Signs of a script without spaces are words of one sign each: a run of neighbours
    /// is taken as one word.
    /// </summary>
    private void AddGrams(ReadOnlySpan<char> text, IReadOnlyList<Range> words, int count)
    {
        Span<char> bounded = stackalloc char[LongestRun + 2];
        var characters = 0;
        for (var i = 0; i < count && characters < MaximumGramCharacters;)
        {
            var (start, end) = (words[i].Start.Value, words[i].End.Value);
            for (i++; i < count && words[i].Start.Value == end && words[i].End.Value - start <= LongestRun && IsLetter(text, words[i]); i++)
                end = words[i].End.Value;
            var run = text[start..Math.Min(end, start + LongestRun)];
            characters += run.Length;
            bounded[0] = '<';
            run.CopyTo(bounded[1..]);
            bounded[run.Length + 1] = '>';
            AddGrams(bounded[..(run.Length + 2)]);
        }
    }

    private void AddGrams(ReadOnlySpan<char> bounded)
    {
        for (var length = ShortestGram; length <= LongestGram; length++)
            for (var start = 0; start + length <= bounded.Length; start++)
                _grams.Add(IdOf(StableHash.Of(bounded.Slice(start, length), GramKind), GramKind));
    }

    private static bool IsLetter(ReadOnlySpan<char> text, Range word) =>
        char.IsLetter(text[word.Start]) || char.IsSurrogate(text[word.Start]);

    private ulong IdOf(ulong hash, ulong kind) => Shorten(StableHash.Combine(hash, kind + ((ulong)_count << 8)));

    private static ulong Shorten(ulong hash) => hash >> (64 - LinearRow.HashBits);

    private static ulong[] Distinct(List<ulong> ids)
    {
        ids.Sort();
        var distinct = new List<ulong>(ids.Count);
        foreach (var id in ids)
            if (distinct.Count == 0 || id != distinct[^1])
                distinct.Add(id);
        return [.. distinct];
    }
}
