using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>How well a similarity tells pairs that belong together from others.</summary>
/// <param name="AveragePrecision">Average precision.</param>
/// <param name="Accuracy">Accuracy of the threshold that is best by it.</param>
/// <param name="AccuracyThreshold">That threshold.</param>
/// <param name="F1">F1 of the threshold that is best by it.</param>
/// <param name="Precision">Precision at that threshold.</param>
/// <param name="Recall">Recall at that threshold.</param>
/// <param name="F1Threshold">That threshold.</param>
public sealed record EmbeddingPairScores(
    double AveragePrecision,
    double Accuracy,
    double AccuracyThreshold,
    double F1,
    double Precision,
    double Recall,
    double F1Threshold);

/// <summary>Result of <see cref="EmbeddingEvaluation.PairClassification"/>.</summary>
/// <param name="Cosine">Of the cosine.</param>
/// <param name="Dot">Of the sum of products.</param>
/// <param name="Euclidean">Of the Euclidean distance.</param>
/// <param name="Manhattan">Of the Manhattan distance.</param>
/// <param name="Pairs">Number of pairs.</param>
public sealed record EmbeddingPairMetrics(
    EmbeddingPairScores Cosine, EmbeddingPairScores Dot, EmbeddingPairScores Euclidean, EmbeddingPairScores Manhattan, int Pairs)
{
    /// <summary>The best average precision of all similarities, the main score.</summary>
    public double MaxAveragePrecision => All.Max(s => s.AveragePrecision);

    /// <summary>The best accuracy of all similarities.</summary>
    public double MaxAccuracy => All.Max(s => s.Accuracy);

    /// <summary>The best F1 of all similarities.</summary>
    public double MaxF1 => All.Max(s => s.F1);

    private EmbeddingPairScores[] All => [Cosine, Dot, Euclidean, Manhattan];

    /// <summary>The best scores, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"Pair classification: average precision {MaxAveragePrecision:F4} (cosine {Cosine.AveragePrecision:F4}), "
        + $"accuracy {MaxAccuracy:F4}, F1 {MaxF1:F4}, {Pairs} pairs");
}

/// <summary>MTEB's protocol of pair classification.</summary>
internal static class PairProtocol
{
    /// <summary>Runs it.</summary>
    public static EmbeddingPairMetrics Run(IReadOnlyList<(float[] First, float[] Second, bool IsPositive)> pairs)
    {
        bool[] labels = [.. pairs.Select(p => p.IsPositive)];
        return new EmbeddingPairMetrics(
            Score([.. pairs.Select(p => (double)Similarity.Cosine(p.First, p.Second))], labels, isHigherCloser: true),
            Score([.. pairs.Select(p => (double)Similarity.Dot(p.First, p.Second))], labels, isHigherCloser: true),
            Score([.. pairs.Select(p => (double)Similarity.Euclidean(p.First, p.Second))], labels, isHigherCloser: false),
            Score([.. pairs.Select(p => (double)Similarity.Manhattan(p.First, p.Second))], labels, isHigherCloser: false),
            pairs.Count);
    }

    /// <summary>Scores one similarity or distance.</summary>
    public static EmbeddingPairScores Score(double[] scores, bool[] labels, bool isHigherCloser)
    {
        var cuts = RankedLabels.BestCuts(scores, labels, isHigherCloser);
        var closeness = isHigherCloser ? scores : Array.ConvertAll(scores, s => -s);
        return new EmbeddingPairScores(
            RankedLabels.AveragePrecision(closeness, labels),
            cuts.Accuracy,
            cuts.AccuracyThreshold,
            cuts.F1,
            cuts.Precision,
            cuts.Recall,
            cuts.F1Threshold);
    }
}
