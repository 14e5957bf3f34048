using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Result of <see cref="TextEvaluation.Gsm8k"/>: shares of rows whose answer is right, from 0 to 100.</summary>
/// <param name="ExactMatch">By the data set's own rule: the first number after <c>#### </c>, without commas, equals the label's.</param>
/// <param name="StrictMatch">
/// By lm-evaluation-harness's "strict-match": the same number, compared without commas, dollar signs and a full stop at its end.
/// </param>
/// <param name="FlexibleExtract">By its "flexible-extract": the last number anywhere in the text, compared in the same way.</param>
/// <param name="Rows">Number of rows.</param>
public sealed record Gsm8kMetrics(double ExactMatch, double StrictMatch, double FlexibleExtract, int Rows)
{
    /// <summary>The three scores, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"GSM8K: exact match {ExactMatch:F2}, strict match {StrictMatch:F2}, flexible extract {FlexibleExtract:F2}, {Rows} rows");
}

/// <summary>The evaluations of GSM8K.</summary>
internal static class Gsm8kProtocol
{
    /// <summary>Runs them.</summary>
    /// <param name="rows">Predicted and given solutions.</param>
    /// <param name="labelColumn">What messages call the column of given solutions.</param>
    /// <exception cref="InvalidOperationException">A label has no number after <c>#### </c> and is none.</exception>
    public static Gsm8kMetrics Run(IReadOnlyList<(string Prediction, string Label)> rows, string labelColumn)
    {
        var (exact, strict, flexible) = (0, 0, 0);
        for (var i = 0; i < rows.Count; i++)
        {
            var (prediction, label) = rows[i];
            // A number by itself reads as the end of a solution.
            var solution = label.Contains(Gsm8kAnswer.Mark, StringComparison.Ordinal) ? label.Trim() : Gsm8kAnswer.Mark + label.Trim();
            var answer = Gsm8kAnswer.AfterMark(solution);
            var normalised = Gsm8kAnswer.Normalise(solution);
            if (answer == Gsm8kAnswer.None || !double.TryParse(normalised, CultureInfo.InvariantCulture, out _))
                throw new InvalidOperationException(
                    $"Row {i + 1} has the label '{label}' in column '{labelColumn}', which has no number after '{Gsm8kAnswer.Mark}' and is none: "
                    + "labels of GSM8K must be its solutions, or their numbers.");
            exact += Gsm8kAnswer.AfterMark(prediction) == answer ? 1 : 0;
            strict += Gsm8kAnswer.Normalise(Gsm8kAnswer.Strict(prediction)) == normalised ? 1 : 0;
            flexible += Gsm8kAnswer.Normalise(Gsm8kAnswer.Flexible(prediction)) == normalised ? 1 : 0;
        }

        return new Gsm8kMetrics(100.0 * exact / rows.Count, 100.0 * strict / rows.Count, 100.0 * flexible / rows.Count, rows.Count);
    }
}
