using System.Buffers;
using System.Text;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// Exact match and F1 of extracted answers by the rules of SQuAD 1.1 (Rajpurkar et al. 2016): lower case, without ASCII punctuation,
/// English articles and superfluous spaces.
/// </summary>
internal static class AnswerMatch
{
    private static readonly SearchValues<char> Punctuation = SearchValues.Create("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
    private static readonly HashSet<string> Articles = ["a", "an", "the"];

    /// <summary>An answer as it is compared.</summary>
    public static string Normalise(string text)
    {
        var kept = string.Concat(PythonText.Lower(text).Where(c => !Punctuation.Contains(c)));
        var result = new StringBuilder(kept.Length);
        var word = new StringBuilder();
        foreach (var rune in kept.EnumerateRunes())
        {
            if (PythonText.IsWordCharacter(rune))
            {
                word.Append(rune.ToString());
                continue;
            }

            AppendWord();
            result.Append(rune.ToString());
        }

        AppendWord();
        return string.Join(' ', PythonText.Split(result.ToString()));

        void AppendWord()
        {
            var whole = word.ToString();
            result.Append(Articles.Contains(whole) ? " " : whole);
            word.Clear();
        }
    }

    /// <summary>1 where both are equal once normalised, else 0.</summary>
    public static double ExactMatch(string prediction, string answer) =>
        string.Equals(Normalise(prediction), Normalise(answer), StringComparison.Ordinal) ? 1 : 0;

    /// <summary>F1 of the words in common, each as often as both have it; 0 where there are none, even if both are empty.</summary>
    public static double F1(string prediction, string answer)
    {
        var (predicted, actual) = (PythonText.Split(Normalise(prediction)), PythonText.Split(Normalise(answer)));
        var counts = actual.CountBy(w => w).ToDictionary();
        var common = 0;
        foreach (var word in predicted)
        {
            if (counts.GetValueOrDefault(word) is 0)
                continue;
            counts[word]--;
            common++;
        }

        if (common == 0)
            return 0;
        var (precision, recall) = ((double)common / predicted.Count, (double)common / actual.Count);
        return 2 * precision * recall / (precision + recall);
    }

    /// <summary>Both, the best over the possible answers of a question.</summary>
    /// <exception cref="ArgumentException">There is no answer.</exception>
    public static (double ExactMatch, double F1) Best(string prediction, IReadOnlyCollection<string> answers) => answers.Count > 0
        ? (answers.Max(a => ExactMatch(prediction, a)), answers.Max(a => F1(prediction, a)))
        : throw new ArgumentException("A question needs an answer.", nameof(answers));
}
