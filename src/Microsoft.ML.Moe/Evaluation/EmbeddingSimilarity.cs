using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>How a similarity goes together with given scores; NaN where one of them is constant.</summary>
/// <param name="Spearman">Spearman's rank correlation.</param>
/// <param name="Pearson">Pearson's correlation.</param>
public readonly record struct SimilarityCorrelation(double Spearman, double Pearson);

/// <summary>Result of <see cref="EmbeddingEvaluation.TextSimilarity"/>.</summary>
/// <param name="Cosine">Of the cosine; its Spearman is the main score.</param>
/// <param name="Dot">Of the sum of products.</param>
/// <param name="Euclidean">Of the negative Euclidean distance.</param>
/// <param name="Manhattan">Of the negative Manhattan distance.</param>
/// <param name="Pairs">Number of pairs.</param>
public sealed record EmbeddingSimilarityMetrics(
    SimilarityCorrelation Cosine, SimilarityCorrelation Dot, SimilarityCorrelation Euclidean, SimilarityCorrelation Manhattan, int Pairs)
{
    /// <summary>The cosine's correlations, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"Text similarity: cosine Spearman {Cosine.Spearman:F4}, Pearson {Cosine.Pearson:F4}, {Pairs} pairs");
}

/// <summary>MTEB's protocol of semantic textual similarity.</summary>
internal static class SimilarityProtocol
{
    /// <summary>Runs it.</summary>
    public static EmbeddingSimilarityMetrics Run(IReadOnlyList<(float[] First, float[] Second, double Score)> pairs)
    {
        double[] scores = [.. pairs.Select(p => p.Score)];
        return new EmbeddingSimilarityMetrics(
            Correlate(p => Similarity.Cosine(p.First, p.Second)),
            Correlate(p => Similarity.Dot(p.First, p.Second)),
            Correlate(p => -Similarity.Euclidean(p.First, p.Second)),
            Correlate(p => -Similarity.Manhattan(p.First, p.Second)),
            pairs.Count);

        SimilarityCorrelation Correlate(Func<(float[] First, float[] Second, double Score), float> similarity)
        {
            double[] similarities = [.. pairs.Select(p => (double)similarity(p))];
            return new SimilarityCorrelation(Correlation.Spearman(similarities, scores), Correlation.Pearson(similarities, scores));
        }
    }
}
