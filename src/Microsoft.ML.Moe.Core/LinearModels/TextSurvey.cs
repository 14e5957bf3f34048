using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>A first look at training texts, which settles what is left open: how many tokens to read, and which features to take.</summary>
internal sealed class TextSurvey
{
    /// <summary>Least tokens to read: shorter texts cost no more for it.</summary>
    public const int FewestTokens = 128;

    /// <summary>Most tokens to read: what is beyond is left to the linear branch.</summary>
    public const int MostTokens = 512;

    /// <summary>Words up to which character n-grams are taken: beyond there is text enough, and they would cost too much.</summary>
    public const long MostWordsForGrams = 8_000_000;

    /// <summary>
    /// Tokens of all rows at most, where reading more than <see cref="FewestTokens"/> of each makes them many: passes over more than
    /// that take minutes, and the linear branch reads all words anyway.
    /// </summary>
    public const long MostTokensOfAll = 650_000;

    private const double CoveredShare = 0.95;
    private readonly int[] _rowsOfLength = new int[MostTokens + 1];
    private readonly List<Range> _none = [];

    /// <summary>Number of rows.</summary>
    public long Rows { get; private set; }

    /// <summary>Words and symbols of all rows.</summary>
    public long Words { get; private set; }

    /// <summary>Whether any row is a pair.</summary>
    public bool HasPairs { get; private set; }

    /// <summary>Looks at a row.</summary>
    /// <param name="text">The text.</param>
    /// <param name="second">The second of a pair, or null.</param>
    public void Add(string text, string? second = null)
    {
        var (words, starts) = (WordSplitter.Split(text, _none, 0), 1);
        if (second is not null)
        {
            words += WordSplitter.Split(second, _none, 0);
            (starts, HasPairs) = (2, true);
        }

        Rows++;
        Words += words;
        _rowsOfLength[Math.Min(MostTokens, words + starts)]++;
    }

    /// <summary>
    /// Tokens that cover all of 95 % of the rows, start tokens counted, within [128, 512]; fewer, down to 128, where there are so many
    /// rows that this would be more than 650,000 tokens.
    /// </summary>
    public int MaximumTokens
    {
        get
        {
            var (length, covered) = (0, 0L);
            while (length < MostTokens && (covered += _rowsOfLength[length]) < CoveredShare * Rows)
                length++;
            return (int)Math.Max(FewestTokens, Math.Min(length, MostTokensOfAll / Math.Max(1, Rows)));
        }
    }

    /// <summary>
    /// Whether character n-grams are features: in single texts, where they help in every language that was tried, as long as the words
    /// are not too many. In pairs the words that both share say more.
    /// </summary>
    public bool CharacterGrams => !HasPairs && Words <= MostWordsForGrams;
}
