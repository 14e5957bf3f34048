using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Result of <see cref="EmbeddingEvaluation.Reranking"/>: means over the queries.</summary>
/// <param name="MeanAveragePrecision">Mean average precision of the first 1000 candidates, the main score.</param>
/// <param name="MeanReciprocalRank">Mean of 1 / rank of the first relevant candidate, 0 beyond the tenth.</param>
/// <param name="Ndcg">Normalised discounted cumulated gain of the first 10.</param>
/// <param name="Queries">Number of queries.</param>
/// <param name="SkippedQueries">Queries left out because none or all of their candidates are relevant, or they have none.</param>
public sealed record EmbeddingRerankingMetrics(
    double MeanAveragePrecision, double MeanReciprocalRank, double Ndcg, int Queries, int SkippedQueries)
{
    /// <summary>The means, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"Reranking: MAP {MeanAveragePrecision:F4}, MRR@10 {MeanReciprocalRank:F4}, nDCG@10 {Ndcg:F4}, {Queries} queries");
}

/// <summary>MTEB's protocol of reranking.</summary>
internal static class RerankingProtocol
{
    /// <summary>Candidates that average precision looks at.</summary>
    public const int MapCutoff = 1000;

    /// <summary>Candidates that the other scores look at.</summary>
    public const int Cutoff = 10;

    /// <summary>Runs it.</summary>
    /// <param name="queries">Embeddings of the queries by id; a candidate's score is the largest of those with its query's id.</param>
    /// <param name="candidates">Candidates of each query.</param>
    /// <exception cref="InvalidOperationException">A candidate's query is not there, or no query is left.</exception>
    public static EmbeddingRerankingMetrics Run(
        ILookup<string, float[]> queries, IEnumerable<(string Query, float[] Embedding, double Relevance)> candidates)
    {
        var ranked = new List<RankedDocuments>();
        foreach (var group in candidates.GroupBy(c => c.Query))
        {
            if (!queries.Contains(group.Key))
                throw new InvalidOperationException($"There are candidates for query '{group.Key}', which is not in the table of queries.");
            double[] relevances = [.. group.Select(c => c.Relevance)];
            if (Array.Exists(relevances, r => r > 0) && Array.Exists(relevances, r => r <= 0))
                ranked.Add(RankedDocuments.OfCandidates(
                    [.. group.Select(c => (double)queries[group.Key].Max(q => Similarity.Cosine(q, c.Embedding)))], relevances));
        }

        if (ranked.Count == 0)
            throw new InvalidOperationException("No query has both relevant and other candidates.");
        return new EmbeddingRerankingMetrics(
            ranked.Average(r => r.AveragePrecision(MapCutoff)),
            ranked.Average(r => r.ReciprocalRank(Cutoff)),
            ranked.Average(r => r.Ndcg(Cutoff)),
            ranked.Count,
            queries.Count - ranked.Count);
    }
}
