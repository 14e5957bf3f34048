using System.Text.RegularExpressions;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>A ROUGE score.</summary>
/// <param name="Precision">Share of the prediction that is in the reference.</param>
/// <param name="Recall">Share of the reference that is in the prediction.</param>
internal readonly record struct RougeScore(double Precision, double Recall)
{
    /// <summary>Harmonic mean of both; 0 where both are.</summary>
    public double F1 => Precision + Recall > 0 ? 2 * Precision * Recall / (Precision + Recall) : 0;
}

/// <summary>
/// ROUGE (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries") as the package rouge-score computes it: words of a to z and
/// digits, in lower case, optionally stemmed.
/// </summary>
/// <param name="stem">Whether words of more than three letters count as their stems.</param>
internal sealed partial class Rouge(bool stem = false)
{
    private const int LongestUnstemmed = 3;

    /// <summary>The words of a text.</summary>
    public List<string> Tokenize(string text)
    {
        var words = new List<string>();
        var lower = PythonText.Lower(text);
        foreach (var match in Word.EnumerateMatches(lower))
            words.Add(lower.Substring(match.Index, match.Length));
        return stem ? [.. words.Select(w => w.Length > LongestUnstemmed ? PorterStemmer.Stem(w) : w)] : words;
    }

    /// <summary>ROUGE-N: runs of n words in common, each as often as both have it.</summary>
    public RougeScore Ngrams(string reference, string prediction, int n)
    {
        var (actual, predicted) = (CountNgrams(Tokenize(reference), n), CountNgrams(Tokenize(prediction), n));
        var common = actual.Sum(g => Math.Min(g.Value, predicted.GetValueOrDefault(g.Key)));
        return new RougeScore((double)common / Math.Max(predicted.Values.Sum(), 1), (double)common / Math.Max(actual.Values.Sum(), 1));
    }

    /// <summary>ROUGE-L: the longest run of words that both have in this order, with gaps.</summary>
    public RougeScore LongestCommonSubsequence(string reference, string prediction)
    {
        var (actual, predicted) = (Tokenize(reference), Tokenize(prediction));
        if (actual.Count == 0 || predicted.Count == 0)
            return default;
        var length = LengthTable(actual, predicted)[actual.Count, predicted.Count];
        return new RougeScore((double)length / predicted.Count, (double)length / actual.Count);
    }

    /// <summary>
    /// ROUGE-Lsum: for each line of the reference, all its words that are in the longest common run with any line of the prediction; a word
    /// counts as often as both texts have it.
    /// </summary>
    public RougeScore SummaryLongestCommonSubsequence(string reference, string prediction)
    {
        var (actual, predicted) = (TokenizeLines(reference), TokenizeLines(prediction));
        var (actualWords, predictedWords) = (actual.Sum(l => l.Count), predicted.Sum(l => l.Count));
        if (actualWords == 0 || predictedWords == 0)
            return default;
        var leftActual = actual.SelectMany(l => l).CountBy(w => w).ToDictionary();
        var leftPredicted = predicted.SelectMany(l => l).CountBy(w => w).ToDictionary();
        var hits = 0;
        foreach (var line in actual)
        {
            var positions = new SortedSet<int>();
            foreach (var other in predicted)
                positions.UnionWith(CommonPositions(line, other));
            foreach (var word in positions.Select(p => line[p]))
            {
                if (leftActual[word] == 0 || leftPredicted.GetValueOrDefault(word) == 0)
                    continue;
                hits++;
                leftActual[word]--;
                leftPredicted[word]--;
            }
        }

        return new RougeScore((double)hits / predictedWords, (double)hits / actualWords);
    }

    /// <summary>A score by its usual name: rouge1 to rouge9, rougeL, rougeLsum.</summary>
    /// <exception cref="ArgumentException">There is no such score.</exception>
    public RougeScore Score(string name, string reference, string prediction) => name switch
    {
        "rougeL" => LongestCommonSubsequence(reference, prediction),
        "rougeLsum" => SummaryLongestCommonSubsequence(reference, prediction),
        ['r', 'o', 'u', 'g', 'e', >= '1' and <= '9' and var n] => Ngrams(reference, prediction, n - '0'),
        _ => throw new ArgumentException($"There is no score '{name}': it must be rouge1 to rouge9, rougeL or rougeLsum.", nameof(name)),
    };

    /// <summary>The score with the best F1 over references, the first of equals.</summary>
    public RougeScore Best(string name, IReadOnlyCollection<string> references, string prediction) =>
        references.Select(r => Score(name, r, prediction)).MaxBy(s => s.F1);

    [GeneratedRegex("[a-z0-9]+")]
    private static partial Regex Word { get; }

    private List<List<string>> TokenizeLines(string text) => [.. text.Split('\n').Where(l => l.Length > 0).Select(Tokenize)];

    private static Dictionary<string, int> CountNgrams(List<string> words, int n) => Enumerable
        .Range(0, Math.Max(0, words.Count - n + 1))
        .CountBy(i => string.Join(' ', words.Skip(i).Take(n)))
        .ToDictionary();

    private static int[,] LengthTable(List<string> actual, List<string> predicted)
    {
        var table = new int[actual.Count + 1, predicted.Count + 1];
        for (var i = 1; i <= actual.Count; i++)
            for (var j = 1; j <= predicted.Count; j++)
                table[i, j] = actual[i - 1] == predicted[j - 1]
                    ? table[i - 1, j - 1] + 1
                    : Math.Max(table[i - 1, j], table[i, j - 1]);
        return table;
    }

    private static IEnumerable<int> CommonPositions(List<string> actual, List<string> predicted)
    {
        var table = LengthTable(actual, predicted);
        for (var (i, j) = (actual.Count, predicted.Count); i > 0 && j > 0;)
        {
            if (actual[i - 1] == predicted[j - 1])
            {
                yield return i - 1;
                (i, j) = (i - 1, j - 1);
            }
            else if (table[i, j - 1] > table[i - 1, j])
            {
                j--;
            }
            else
            {
                i--;
            }
        }
    }
}
