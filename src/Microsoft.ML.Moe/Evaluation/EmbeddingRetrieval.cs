using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Settings of <see cref="EmbeddingEvaluation.Retrieval"/>; the defaults are MTEB's.</summary>
public sealed record EmbeddingRetrievalOptions
{
    /// <summary>Documents that the scores look at, at least 1; 10 by default.</summary>
    public int Cutoff { get; init; } = 10;
}

/// <summary>Result of <see cref="EmbeddingEvaluation.Retrieval"/>: means over the queries.</summary>
/// <param name="Ndcg">Normalised discounted cumulated gain of the first documents, the main score.</param>
/// <param name="MeanAveragePrecision">Average precision of the first documents.</param>
/// <param name="Recall">Share of the relevant documents that are among the first.</param>
/// <param name="Precision">Share of the first documents that are relevant.</param>
/// <param name="MeanReciprocalRank">1 / rank of the first relevant document, 0 where it is not among the first.</param>
/// <param name="Cutoff">How many the first documents are.</param>
/// <param name="Queries">Number of queries.</param>
/// <param name="SkippedQueries">Queries left out because no document is relevant to them.</param>
public sealed record EmbeddingRetrievalMetrics(
    double Ndcg,
    double MeanAveragePrecision,
    double Recall,
    double Precision,
    double MeanReciprocalRank,
    int Cutoff,
    int Queries,
    int SkippedQueries)
{
    /// <summary>The means, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"Retrieval: nDCG@{Cutoff} {Ndcg:F4}, MAP@{Cutoff} {MeanAveragePrecision:F4}, recall@{Cutoff} {Recall:F4}, "
        + $"MRR@{Cutoff} {MeanReciprocalRank:F4}, {Queries} queries");
}

/// <summary>MTEB's protocol of retrieval: every query against every document by cosine.</summary>
internal sealed class RetrievalProtocol
{
    private static readonly Comparer<(float Score, string Id)> WorstFirst = Comparer<(float Score, string Id)>.Create(
        (x, y) => x.Score != y.Score ? x.Score.CompareTo(y.Score) : string.CompareOrdinal(x.Id, y.Id));

    private readonly (string Id, float[] Embedding, double Norm)[] _documents;

    /// <summary>Takes the documents.</summary>
    /// <exception cref="InvalidOperationException">Two have the same id.</exception>
    public RetrievalProtocol(IEnumerable<(string Id, float[] Embedding)> documents)
    {
        _documents = [.. documents.Select(d => (d.Id, d.Embedding, Similarity.Norm(d.Embedding)))];
        var seen = new HashSet<string>();
        foreach (var (id, _, _) in _documents)
            if (!seen.Add(id))
                throw new InvalidOperationException($"There are two documents with the id '{id}'.");
    }

    /// <summary>The closest documents, the closest first; of equal ones those with the larger id (trec_eval).</summary>
    /// <param name="query">Embedding of a query.</param>
    /// <param name="most">Number of documents.</param>
    public string[] Rank(float[] query, int most)
    {
        var norm = Similarity.Norm(query);
        var kept = new PriorityQueue<string, (float, string)>(WorstFirst);
        foreach (var (id, embedding, documentNorm) in _documents)
        {
            var score = (Similarity.Cosine(query, norm, embedding, documentNorm), id);
            if (kept.Count < most)
                kept.Enqueue(id, score);
            else
                kept.EnqueueDequeue(id, score);
        }

        var ranked = new string[kept.Count];
        for (var i = ranked.Length - 1; i >= 0; i--)
            ranked[i] = kept.Dequeue();
        return ranked;
    }

    /// <summary>Runs it.</summary>
    /// <param name="queries">Queries.</param>
    /// <param name="judgments">Relevance of documents to queries, by the queries' ids; others are not relevant.</param>
    /// <param name="options">Settings.</param>
    /// <param name="cancellation">Ends it with an exception.</param>
    /// <exception cref="InvalidOperationException">No query has a relevant document.</exception>
    public EmbeddingRetrievalMetrics Run(
        IReadOnlyList<(string Id, float[] Embedding)> queries,
        IReadOnlyDictionary<string, Dictionary<string, double>> judgments,
        EmbeddingRetrievalOptions options,
        CancellationToken cancellation)
    {
        (string Id, float[] Embedding)[] judged =
            [.. queries.Where(q => judgments.TryGetValue(q.Id, out var j) && j.Values.Any(r => r > 0))];
        if (judged.Length == 0)
            throw new InvalidOperationException("No query has a relevant document: are the ids in the three tables the same?");
        var ranked = new RankedDocuments[judged.Length];
        var parallel = new ParallelOptions { CancellationToken = cancellation };
        Parallel.For(0, judged.Length, parallel, q =>
        {
            var relevance = judgments[judged[q].Id];
            var ids = Rank(judged[q].Embedding, options.Cutoff);
            ranked[q] = new RankedDocuments([.. ids.Select(d => relevance.GetValueOrDefault(d))], relevance.Values);
        });
        return new EmbeddingRetrievalMetrics(
            ranked.Average(r => r.Ndcg(options.Cutoff)),
            ranked.Average(r => r.AveragePrecision(options.Cutoff)),
            ranked.Average(r => r.Recall(options.Cutoff)),
            ranked.Average(r => r.Precision(options.Cutoff)),
            ranked.Average(r => r.ReciprocalRank(options.Cutoff)),
            options.Cutoff,
            judged.Length,
            queries.Count - judged.Length);
    }
}
