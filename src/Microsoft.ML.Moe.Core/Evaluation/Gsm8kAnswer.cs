using System.Text.RegularExpressions;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// The number that a worked solution of GSM8K ends with (Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems"), as the
/// data set's own program and EleutherAI's lm-evaluation-harness (task gsm8k, version 3) take it out of the text.
/// </summary>
internal static partial class Gsm8kAnswer
{
    /// <summary>Stands for a text without an answer.</summary>
    public const string None = "[invalid]";

    /// <summary>What stands before the answer.</summary>
    public const string Mark = "#### ";

    /// <summary>The data set's own rule: the first number after <c>#### </c>, without commas; else <see cref="None"/>.</summary>
    public static string AfterMark(string text) => Strict(text).Replace(",", "", StringComparison.Ordinal);

    /// <summary>The harness's "strict-match": the first number after <c>#### </c>, as it is written; else <see cref="None"/>.</summary>
    public static string Strict(string text) => Marked.Match(text) is { Success: true } match ? match.Groups[1].Value : None;

    /// <summary>The harness's "flexible-extract": the last run of digits in the text, with its signs; else <see cref="None"/>.</summary>
    public static string Flexible(string text)
    {
        var last = None;
        foreach (var match in Number.EnumerateMatches(text))
            last = text.Substring(match.Index, match.Length);
        return last;
    }

    /// <summary>
    /// An answer as the harness compares it: what follows the last <c>#### </c>, without commas and dollar signs and one full stop at the
    /// end, in lower case.
    /// </summary>
    public static string Normalise(string text)
    {
        var kept = text.Replace(",", "", StringComparison.Ordinal).Replace("$", "", StringComparison.Ordinal);
        if (kept.LastIndexOf(Mark, StringComparison.Ordinal) is >= 0 and var mark)
            kept = kept[(mark + Mark.Length)..];
        return PythonText.Lower(LastStop.Replace(kept, ""));
    }

    [GeneratedRegex(@"#### (-?[0-9.,]+)", RegexOptions.CultureInvariant)]
    private static partial Regex Marked { get; }

    [GeneratedRegex("-?[$0-9.,]{2,}|-?[0-9]+", RegexOptions.CultureInvariant)]
    private static partial Regex Number { get; }

    [GeneratedRegex(@"\.$", RegexOptions.CultureInvariant)]
    private static partial Regex LastStop { get; }
}
