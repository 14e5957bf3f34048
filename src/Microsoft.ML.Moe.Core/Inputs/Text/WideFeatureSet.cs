using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// The features that the wide branch sees: which words, pairs of neighbouring words and character n-grams of words occur, as
/// hashes. Order and count do not matter. The features of a second text are kept apart from those of the first.
/// </summary>
internal sealed class WideFeatureSet
{
    /// <summary>Words of each text that are looked at; bounds the cost of a very long row.</summary>
    public const int MaximumWords = 2048;

    private const ulong WordKind = 11;
    private const ulong PairKind = 12;
    private int[] _hashes = [];
    private int _count;
    private ulong _text;

    /// <summary>From now on features belong to the next text of the row.</summary>
    public void NextText() => _text++;

    /// <summary>Adds the features of a text.</summary>
    public void Add(ReadOnlySpan<char> text, List<Range> words)
    {
        var previous = StableHash.Of("", WordKind);
        var count = Math.Min(words.Count, MaximumWords);
        Array.Resize(ref _hashes, _count + 2 * count);
        for (var i = 0; i < count; i++)
        {
            var word = StableHash.Of(text[words[i]], WordKind);
            Add(word, WordKind);
            Add(StableHash.Combine(previous, word), PairKind);
            previous = word;
        }
    }

    /// <summary>The hashes, each once and ascending, so that the same text always gives the same sums.</summary>
    public int[] ToArray()
    {
        var hashes = _hashes.AsSpan(0, _count);
        hashes.Sort();
        var different = 0;
        foreach (var hash in hashes)
            if (different == 0 || hash != hashes[different - 1])
                hashes[different++] = hash;
        return hashes[..different].ToArray();
    }

    private void Add(ulong hash, ulong kind) => _hashes[_count++] = (int)(StableHash.Combine(hash, kind + (_text << 8)) >> 33);
}
