using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Result of <see cref="TextEvaluation.Squad"/>: means over the rows, from 0 to 100.</summary>
/// <param name="ExactMatch">Share of predictions that are one of their answers.</param>
/// <param name="F1">F1 of the words that a prediction has in common with the best of its answers.</param>
/// <param name="Rows">Number of rows.</param>
public sealed record SquadMetrics(double ExactMatch, double F1, int Rows)
{
    /// <summary>Both scores, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"SQuAD: exact match {ExactMatch:F2}, F1 {F1:F2}, {Rows} rows");
}

/// <summary>The evaluation of SQuAD 1.1.</summary>
internal static class SquadProtocol
{
    /// <summary>Runs it.</summary>
    public static SquadMetrics Run(IReadOnlyCollection<(string Prediction, string[] Answers)> rows)
    {
        var (exactMatch, f1) = (0.0, 0.0);
        foreach (var (prediction, answers) in rows)
        {
            var best = AnswerMatch.Best(prediction, answers);
            exactMatch += best.ExactMatch;
            f1 += best.F1;
        }

        return new SquadMetrics(100 * exactMatch / rows.Count, 100 * f1 / rows.Count, rows.Count);
    }
}
