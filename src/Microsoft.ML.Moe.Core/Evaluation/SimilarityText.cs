using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>STS-B scores as the text that a text-to-text model writes (Raffel et al. 2020, section 2.4).</summary>
internal static class SimilarityText
{
    /// <summary>Stands for a text that is no number.</summary>
    public const double NotANumber = -1;

    /// <summary>The target text of a score from 0 to 5: rounded to one decimal, halves to even.</summary>
    public static string Write(double score)
    {
        var rounded = Math.Round(score * 5 / 5 * 10, MidpointRounding.ToEven) / 10;
        var text = rounded.ToString("R", CultureInfo.InvariantCulture);
        return text.Contains('.', StringComparison.Ordinal) ? text : text + ".0";
    }

    /// <summary>
    /// The number that a text is, read as Python does, or <see cref="NotANumber"/>. "nan" and "inf" are numbers: they are given as they are
    /// and make a correlation NaN, as in the published evaluation; a caller who wants a score leaves such rows out or counts them as wrong.
    /// </summary>
    public static double Read(string text) => PythonText.ParseFloat(text) ?? NotANumber;
}
