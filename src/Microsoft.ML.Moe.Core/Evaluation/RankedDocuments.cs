namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// What a query's ranking is worth, by the rules of trec_eval: gains are the relevances themselves, discounted by log₂(rank + 1); the ideal
/// ranking, precision, recall and average precision know all relevant documents, ranked or not.
/// </summary>
/// <param name="relevances">Relevance of the ranked documents, best first; 0 for documents that are not relevant.</param>
/// <param name="judged">Relevance of all documents that are judged for the query.</param>
internal sealed class RankedDocuments(IReadOnlyList<double> relevances, IEnumerable<double> judged)
{
    private readonly double[] _ideal = [.. judged.Where(r => r > 0).OrderDescending()];

    /// <summary>
    /// Ranks all candidates of a query by their scores. Of equal scores those that are not relevant come first, which is what MTEB 2.26
    /// comes to by the names that it gives documents.
    /// </summary>
    /// <param name="scores">A score a candidate.</param>
    /// <param name="relevances">Its relevance, 0 where it is not relevant.</param>
    public static RankedDocuments OfCandidates(ReadOnlySpan<double> scores, ReadOnlySpan<double> relevances)
    {
        var (keys, ranked) = (new (double, double)[scores.Length], relevances.ToArray());
        for (var i = 0; i < keys.Length; i++)
            keys[i] = (-scores[i], relevances[i]);
        Array.Sort(keys, ranked);
        return new RankedDocuments(ranked, ranked);
    }

    /// <summary>Number of relevant documents.</summary>
    public int Relevant => _ideal.Length;

    /// <summary>Normalised discounted cumulated gain of the first documents (Järvelin and Kekäläinen 2002).</summary>
    public double Ndcg(int first) => Gain(relevances, first) is var gain && gain > 0 ? gain / Gain(_ideal, first) : 0;

    /// <summary>
    /// Average precision of the first documents: over all relevant ones, precision at the rank of each, 0 where it is not found.
    /// </summary>
    public double AveragePrecision(int first)
    {
        var (found, sum) = (0, 0.0);
        for (var i = 0; i < Math.Min(first, relevances.Count); i++)
            if (relevances[i] > 0)
                sum += (double)++found / (i + 1);
        return Relevant == 0 ? 0 : sum / Relevant;
    }

    /// <summary>Share of the relevant documents that are among the first.</summary>
    public double Recall(int first) => Relevant == 0 ? 0 : (double)Found(first) / Relevant;

    /// <summary>Share of the first documents that are relevant; those that are missing count as not relevant.</summary>
    public double Precision(int first) => (double)Found(first) / first;

    /// <summary>1 / rank of the first relevant document, 0 where none is among the first.</summary>
    public double ReciprocalRank(int first)
    {
        for (var i = 0; i < Math.Min(first, relevances.Count); i++)
            if (relevances[i] > 0)
                return 1.0 / (i + 1);
        return 0;
    }

    private int Found(int first) => relevances.Take(first).Count(r => r > 0);

    private static double Gain(IReadOnlyList<double> relevances, int first)
    {
        var sum = 0.0;
        for (var i = 0; i < Math.Min(first, relevances.Count); i++)
            if (relevances[i] > 0)
                sum += relevances[i] / Math.Log2(i + 2);
        return sum;
    }
}
