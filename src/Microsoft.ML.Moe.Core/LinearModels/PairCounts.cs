namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Thirteen numbers that say how much two texts share. With A and B the sets of words of the first and second text and A₂ and B₂
/// their pairs of neighbours: |A∩B|/|A|, |A∩B|/|B|, |A∩B|/|A∪B|, |A₂∩B₂|/|A₂|, |A₂∩B₂|/|B₂|; log(1 + words) of the first and the
/// second text and their difference; whether the first has an English negation, whether the second has, whether only one has; whether
/// both have the same words with digits, and whether the first has all those of the second.
/// </summary>
internal static class PairCounts
{
    /// <summary>How many there are.</summary>
    public const int Number = 13;

    /// <summary>The counts of a pair.</summary>
    public static float[] Of(TextWords first, TextWords second)
    {
        var shared = Shared(first.Words, second.Words);
        var sharedPairs = Shared(first.Pairs, second.Pairs);
        var (length1, length2) = (MathF.Log(1 + first.Count), MathF.Log(1 + second.Count));
        return
        [
            Ratio(shared, first.Words.Count),
            Ratio(shared, second.Words.Count),
            Ratio(shared, first.Words.Count + second.Words.Count - shared),
            Ratio(sharedPairs, first.Pairs.Count),
            Ratio(sharedPairs, second.Pairs.Count),
            length1,
            length2,
            length1 - length2,
            One(first.HasNegation),
            One(second.HasNegation),
            One(first.HasNegation != second.HasNegation),
            One(first.Numbers.SetEquals(second.Numbers)),
            One(first.Numbers.IsSupersetOf(second.Numbers)),
        ];
    }

    private static int Shared(HashSet<ulong> first, HashSet<ulong> second)
    {
        var (smaller, larger) = first.Count <= second.Count ? (first, second) : (second, first);
        var shared = 0;
        foreach (var hash in smaller)
            shared += larger.Contains(hash) ? 1 : 0;
        return shared;
    }

    private static float Ratio(int part, int whole) => whole == 0 ? 0f : (float)part / whole;

    private static float One(bool holds) => holds ? 1f : 0f;
}

/// <summary>What <see cref="PairCounts"/> needs to know of a text.</summary>
internal sealed class TextWords
{
    private static readonly HashSet<string> Negations = new(StringComparer.OrdinalIgnoreCase)
    {
        "no", "not", "never", "none", "nothing", "nobody", "nowhere", "neither", "nor", "without", "cannot",
        "dont", "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "cant", "couldnt", "wont", "wouldnt", "shouldnt",
    };

    /// <summary>What is left of a negated verb once the apostrophe parts it: <c>don't</c> gives <c>don</c> and <c>t</c>.</summary>
    private const string ShortNegation = "t";

    /// <summary>Hashes of the words.</summary>
    public HashSet<ulong> Words { get; } = [];

    /// <summary>Hashes of the pairs of neighbouring words, the start of the text taken as one.</summary>
    public HashSet<ulong> Pairs { get; } = [];

    /// <summary>Hashes of the words with a digit.</summary>
    public HashSet<ulong> Numbers { get; } = [];

    /// <summary>Number of words, repeats counted.</summary>
    public int Count { get; private set; }

    /// <summary>Whether it has an English negation.</summary>
    public bool HasNegation { get; private set; }

    /// <summary>Adds the next word.</summary>
    /// <param name="word">The word.</param>
    /// <param name="hash">Its hash.</param>
    /// <param name="pair">Hash of it and the word before.</param>
    public void Add(ReadOnlySpan<char> word, ulong hash, ulong pair)
    {
        Count++;
        Words.Add(hash);
        Pairs.Add(pair);
        foreach (var character in word)
            if (char.IsDigit(character))
            {
                Numbers.Add(hash);
                break;
            }

        HasNegation |= word.Equals(ShortNegation, StringComparison.OrdinalIgnoreCase)
            || Negations.GetAlternateLookup<ReadOnlySpan<char>>().Contains(word);
    }
}
