using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Collects the features of a text or a pair: which words and pairs of neighbouring words occur (order and number do not matter; a
/// second text's are kept apart), which character 3- to 5-grams of words where they are asked for, and for a pair which words both
/// texts share and which only one of them has. For one thread.
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

    /// <summary>The row of a text.</summary>
    /// <param name="text">The text, lower-cased where the model lower-cases.</param>
    /// <param name="words">Its words and symbols, in order.</param>
    public LinearRow Build(ReadOnlySpan<char> text, List<Range> words)
    {
        Begin();
        Add(text, words, 0, null);
        return characterGrams ? new LinearRow([Distinct(_words), Distinct(_grams)], []) : new LinearRow([Distinct(_words)], []);
    }

    /// <summary>The row of a pair.</summary>
    /// <param name="text">The first text, lower-cased where the model lower-cases.</param>
    /// <param name="words">Its words and symbols, in order.</param>
    /// <param name="second">The second text.</param>
    /// <param name="secondWords">Its words and symbols.</param>
    public LinearRow Build(ReadOnlySpan<char> text, List<Range> words, ReadOnlySpan<char> second, List<Range> secondWords)
    {
        Begin();
        var (ofFirst, ofSecond) = (new TextWords(), new TextWords());
        Add(text, words, 0, ofFirst);
        Add(second, secondWords, 1, ofSecond);
        return new LinearRow(
            [Distinct(_words), Distinct(_grams), Overlap(ofFirst.Words, ofSecond.Words)], PairCounts.Of(ofFirst, ofSecond));
    }

    private void Begin()
    {
        _words.Clear();
        _grams.Clear();
    }

    private void Add(ReadOnlySpan<char> text, List<Range> words, ulong number, TextWords? known)
    {
        var previous = StableHash.Of("", WordKind);
        var count = Math.Min(words.Count, MaximumWords);
        for (var i = 0; i < count; i++)
        {
            var word = StableHash.Of(text[words[i]], WordKind);
            var pair = StableHash.Combine(previous, word);
            known?.Add(text[words[i]], word, pair);
            _words.Add(IdOf(word, WordKind, number));
            _words.Add(IdOf(pair, PairKind, number));
            previous = word;
        }

        if (characterGrams)
            AddGrams(text, words, count, number);
    }

    private static ulong[] Overlap(HashSet<ulong> first, HashSet<ulong> second)
    {
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
    private void AddGrams(ReadOnlySpan<char> text, List<Range> words, int count, ulong number)
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
            AddGrams(bounded[..(run.Length + 2)], number);
        }
    }

    private void AddGrams(ReadOnlySpan<char> bounded, ulong number)
    {
        for (var length = ShortestGram; length <= LongestGram; length++)
            for (var start = 0; start + length <= bounded.Length; start++)
                _grams.Add(IdOf(StableHash.Of(bounded.Slice(start, length), GramKind), GramKind, number));
    }

    private static bool IsLetter(ReadOnlySpan<char> text, Range word) =>
        char.IsLetter(text[word.Start]) || char.IsSurrogate(text[word.Start]);

    private static ulong IdOf(ulong hash, ulong kind, ulong number) => Shorten(StableHash.Combine(hash, kind + (number << 8)));

    private static ulong Shorten(ulong hash) => hash >> (64 - LinearRow.HashBits);

    private static ulong[] Distinct(List<ulong> ids)
    {
        var sorted = CollectionsMarshal.AsSpan(ids);
        sorted.Sort();
        var distinct = 0;
        foreach (var id in sorted)
            if (distinct == 0 || id != sorted[distinct - 1])
                sorted[distinct++] = id;
        return sorted[..distinct].ToArray();
    }
}
