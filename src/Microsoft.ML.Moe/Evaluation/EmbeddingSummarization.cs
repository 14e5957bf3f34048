using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Result of <see cref="EmbeddingEvaluation.Summarization"/>: means over the texts.</summary>
/// <param name="Cosine">Of the largest cosine with a summary that people wrote; its Spearman is the main score.</param>
/// <param name="Dot">Of the largest sum of products with one.</param>
/// <param name="Texts">Number of texts.</param>
/// <param name="SkippedTexts">Texts left out because all their scores, or all similarities, are equal.</param>
public sealed record EmbeddingSummarizationMetrics(SimilarityCorrelation Cosine, SimilarityCorrelation Dot, int Texts, int SkippedTexts)
{
    /// <summary>The cosine's correlations, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"Summarization: cosine Spearman {Cosine.Spearman:F4}, Pearson {Cosine.Pearson:F4}, {Texts} texts");
}

/// <summary>MTEB's protocol of summarisation.</summary>
internal static class SummarizationProtocol
{
    /// <summary>Runs it.</summary>
    /// <param name="human">Embeddings of the summaries that people wrote, by text.</param>
    /// <param name="machine">Embeddings of the summaries of machines, with the scores that people gave them.</param>
    /// <exception cref="InvalidOperationException">A text has no summary that people wrote, or no text is left.</exception>
    public static EmbeddingSummarizationMetrics Run(
        ILookup<string, float[]> human, IEnumerable<(string Text, float[] Embedding, double Score)> machine)
    {
        var (cosine, dot) = (new List<SimilarityCorrelation>(), new List<SimilarityCorrelation>());
        var skipped = 0;
        foreach (var text in machine.GroupBy(m => m.Text))
        {
            if (!human.Contains(text.Key))
                throw new InvalidOperationException(
                    $"There are summaries of text '{text.Key}' in the table of machines' summaries, but none in that of people's.");
            double[] scores = [.. text.Select(m => m.Score)];
            double[] cosines = [.. text.Select(m => (double)human[text.Key].Max(h => Similarity.Cosine(h, m.Embedding)))];
            double[] dots = [.. text.Select(m => (double)human[text.Key].Max(h => Similarity.Dot(h, m.Embedding)))];
            if (Correlation.IsConstant(scores) || Correlation.IsConstant(cosines) || Correlation.IsConstant(dots))
            {
                skipped++;
                continue;
            }

            cosine.Add(new SimilarityCorrelation(Correlation.Spearman(scores, cosines), Correlation.Pearson(scores, cosines)));
            dot.Add(new SimilarityCorrelation(Correlation.Spearman(scores, dots), Correlation.Pearson(scores, dots)));
        }

        return cosine.Count == 0
            ? throw new InvalidOperationException("No text has summaries with different scores and different similarities.")
            : new EmbeddingSummarizationMetrics(MeanOf(cosine), MeanOf(dot), cosine.Count, skipped);
    }

    private static SimilarityCorrelation MeanOf(List<SimilarityCorrelation> values) =>
        new(values.Average(v => v.Spearman), values.Average(v => v.Pearson));
}
