namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>
/// The corrupted setting of USMoE (arXiv 2503.22996): a share of the words, drawn at random, is replaced by the word AAA. The paper's
/// published code does not contain its corruption. Here words are what white space separates, each of a row's words is as likely as
/// any other, and a row of n words loses ⌊n·share⌋ or ⌈n·share⌉, so that the share is met on average.
/// </summary>
internal static class WordCorruption
{
    public const double Share = 0.2;
    public const string Replacement = "AAA";

    /// <summary>Corrupted rows; the same seed gives the same rows.</summary>
    public static IReadOnlyList<Sentence> Of(IReadOnlyList<Sentence> rows, int seed)
    {
        var random = new Random(seed);
        return [.. rows.Select(row => row with { Text = Corrupt(row.Text, random) })];
    }

    private static string Corrupt(string text, Random random)
    {
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var places = Enumerable.Range(0, words.Length).ToArray();
        random.Shuffle(places);
        var count = (int)Math.Floor(words.Length * Share + random.NextDouble());
        foreach (var place in places.Take(count))
            words[place] = Replacement;
        return string.Join(' ', words);
    }
}
