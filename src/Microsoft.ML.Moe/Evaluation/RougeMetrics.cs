using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>A ROUGE score, averaged over rows; each from 0 to 100.</summary>
/// <param name="Precision">Mean share of the prediction that is in the reference.</param>
/// <param name="Recall">Mean share of the reference that is in the prediction.</param>
/// <param name="F1">Mean of the rows' harmonic means of both: the score that papers print.</param>
public readonly record struct RougeMeans(double Precision, double Recall, double F1);

/// <summary>Result of <see cref="TextEvaluation.Rouge"/>.</summary>
/// <param name="Rouge1">Words in common.</param>
/// <param name="Rouge2">Pairs of neighbouring words in common.</param>
/// <param name="RougeL">The longest run of words, with gaps, that both texts have.</param>
/// <param name="RougeLsum">The same line by line.</param>
/// <param name="Rows">Number of rows.</param>
public sealed record RougeMetrics(RougeMeans Rouge1, RougeMeans Rouge2, RougeMeans RougeL, RougeMeans RougeLsum, int Rows)
{
    /// <summary>The F1 of each score, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"ROUGE (F1): ROUGE-1 {Rouge1.F1:F2}, ROUGE-2 {Rouge2.F1:F2}, ROUGE-L {RougeL.F1:F2}, ROUGE-Lsum {RougeLsum.F1:F2}, {Rows} rows");
}

/// <summary>The usual evaluation of summaries.</summary>
internal static class RougeProtocol
{
    /// <summary>Runs it.</summary>
    public static RougeMetrics Run(
        IReadOnlyCollection<(string Prediction, string[] References)> rows, bool useStemmer, CancellationToken cancellation)
    {
        var rouge = new Rouge(useStemmer);
        return new RougeMetrics(Mean("rouge1"), Mean("rouge2"), Mean("rougeL"), Mean("rougeLsum"), rows.Count);

        RougeMeans Mean(string name)
        {
            var (precision, recall, f1) = (0.0, 0.0, 0.0);
            foreach (var (prediction, references) in rows)
            {
                cancellation.ThrowIfCancellationRequested();
                var score = rouge.Best(name, references, prediction);
                precision += score.Precision;
                recall += score.Recall;
                f1 += score.F1;
            }

            return new RougeMeans(100 * precision / rows.Count, 100 * recall / rows.Count, 100 * f1 / rows.Count);
        }
    }
}
