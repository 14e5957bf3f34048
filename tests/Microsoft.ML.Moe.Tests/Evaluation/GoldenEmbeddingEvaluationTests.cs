using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>Evaluations of embeddings give what MTEB's own program gives.</summary>
[Trait("Category", "Goldens")]
public partial class GoldenEmbeddingEvaluationTests
{
    private const double Tolerance = 1e-6;

    // MTEB rounds some means.
    private const double RoundedTolerance = 5.1e-6;

    public static TheoryData<string, string, string> Classifications { get; } = Cases("classification");

    public static TheoryData<string, string, string> Clusterings { get; } = Cases("clustering");

    public static TheoryData<string, string, string> Similarities { get; } = Cases("sts");

    public static TheoryData<string, string, string> Pairs { get; } = Cases("pair_classification");

    public static TheoryData<string, string, string> Rerankings { get; } = Cases("reranking");

    public static TheoryData<string, string, string> Retrievals { get; } = Cases("retrieval");

    public static TheoryData<string, string, string> Summarizations { get; } = Cases("summarisation");

    [SkippableTheory]
    [MemberData(nameof(Classifications))]
    public void Classification(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var experiments = task.GetProperty("experiments");

        var actual = EmbeddingEvaluation.Classification(
            Labelled(file.Rows(task, "train"), GoldenMetrics.List<double>(task, "train_labels")),
            Labelled(file.Rows(task, "test"), GoldenMetrics.List<double>(task, "test_labels")),
            options: new EmbeddingClassificationOptions
            {
                Experiments = experiments.GetArrayLength(),
                RowsForEachClass = task.GetProperty("samples_per_label").GetInt32(),
                Seed = task.GetProperty("seed").GetUInt32(),
            });

        Check(task.GetProperty("mean_scores"), actual.Mean);
        for (var i = 0; i < actual.Experiments.Count; i++)
            Check(experiments[i].GetProperty("scores"), actual.Experiments[i]);
    }

    [SkippableTheory]
    [MemberData(nameof(Clusterings))]
    public void Clustering(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var table = Labelled(file.Rows(task, "embeddings"), GoldenMetrics.List<double>(task, "labels"));
        var range = GoldenMetrics.List<double>(task, "v_range");

        var measures = task.GetProperty("minibatch_kmeans").EnumerateArray()
            .Select(run => EmbeddingEvaluation.Clustering(
                table, options: new EmbeddingClusteringOptions { Seed = run.GetProperty("seed").GetUInt32() }).VMeasure)
            .ToList();

        Assert.InRange(measures.Average(), range[0], range[1]);
    }

    [SkippableTheory]
    [MemberData(nameof(Similarities))]
    public void TextSimilarity(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var (a, b, gold) = (file.Rows(task, "a"), file.Rows(task, "b"), GoldenMetrics.List<double>(task, "gold"));

        var actual = EmbeddingEvaluation.TextSimilarity(PairTable(a, b, gold));

        CheckSimilarities(task, "cosine", a, b, Similarity.Cosine);
        CheckSimilarities(task, "euclidean_negated", a, b, (x, y) => -Similarity.Euclidean(x, y));
        CheckSimilarities(task, "manhattan_negated", a, b, (x, y) => -Similarity.Manhattan(x, y));
        var slack = 0.0;
        foreach (var similarity in new OfPair[] { Similarity.Cosine, Similarity.Euclidean, Similarity.Manhattan })
            slack = Math.Max(slack, RankSlack([.. a.Zip(b, (x, y) => similarity(x, y))]));
        foreach (var score in task.GetProperty("scores").EnumerateObject())
        {
            var value = score.Name switch
            {
                "pearson" or "cosine_pearson" => actual.Cosine.Pearson,
                "spearman" or "cosine_spearman" => actual.Cosine.Spearman,
                "manhattan_pearson" => actual.Manhattan.Pearson,
                "manhattan_spearman" => actual.Manhattan.Spearman,
                "euclidean_pearson" => actual.Euclidean.Pearson,
                "euclidean_spearman" => actual.Euclidean.Spearman,
                _ => throw new InvalidDataException($"There is no score '{score.Name}'."),
            };
            GoldenMetrics.Close(
                score.Value.GetDouble(),
                value,
                score.Name.EndsWith("spearman", StringComparison.Ordinal) ? Tolerance + slack : Tolerance,
                score.Name);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Pairs))]
    public void PairClassification(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var (a, b, labels) = (file.Rows(task, "a"), file.Rows(task, "b"), GoldenMetrics.List<int>(task, "labels"));
        bool[] isPositive = [.. labels.Select(l => l == 1)];
        var similarities = task.GetProperty("similarities");
        CheckSimilarities(task, "cosine", a, b, Similarity.Cosine);
        CheckSimilarities(similarities, "cosine_scores", a, b, Similarity.Cosine);
        CheckSimilarities(similarities, "dot_scores", a, b, Similarity.Dot);
        CheckSimilarities(similarities, "euclidean_distances", a, b, Similarity.Euclidean);
        CheckSimilarities(similarities, "manhattan_distances", a, b, Similarity.Manhattan);

        // From the similarities as they are stored: which of them are equal is a matter of rounding.
        var stored = similarities.EnumerateObject().ToDictionary(
            s => s.Name,
            s => PairProtocol.Score(s.Value.Deserialize<double[]>()!, isPositive, s.Name.EndsWith("_scores", StringComparison.Ordinal)));
        CheckPairs(
            task.GetProperty("scores"),
            stored["cosine_scores"],
            stored["dot_scores"],
            stored["euclidean_distances"],
            stored["manhattan_distances"]);
        foreach (var threshold in task.GetProperty("thresholds").EnumerateObject())
        {
            var scores = stored[threshold.Name];
            GoldenMetrics.Check(
                threshold.Value,
                value => value switch
                {
                    "accuracy" => scores.Accuracy,
                    "accuracy_threshold" => scores.AccuracyThreshold,
                    "f1" => scores.F1,
                    "precision" => scores.Precision,
                    "recall" => scores.Recall,
                    "f1_threshold" => scores.F1Threshold,
                    "tied_neighbours" => Neighbours(similarities.GetProperty(threshold.Name).Deserialize<double[]>()!, 0),
                    _ => throw new InvalidDataException($"There is no value '{value}'."),
                },
                Tolerance);
        }

        var actual = EmbeddingEvaluation.PairClassification(PairTable(a, b, [.. labels.Select(l => (double)l)]));
        if (similarities.EnumerateObject().All(s => Neighbours(s.Value.Deserialize<double[]>()!, 1e-5) == 0))
            CheckPairs(task.GetProperty("scores"), actual.Cosine, actual.Dot, actual.Euclidean, actual.Manhattan);
        else
            GoldenMetrics.Close(task.GetProperty("scores").GetProperty("max_ap").GetDouble(), actual.MaxAveragePrecision, 0.02, "max_ap");
    }

    [SkippableTheory]
    [MemberData(nameof(Rerankings))]
    public void Reranking(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var (queries, documents) = (file.Rows(task, "queries"), file.Rows(task, "docs"));
        var (ranked, exact, candidates) = (new List<RankedDocuments>(), new List<double>(), new List<EmbeddingRow>());
        var hasTies = false;
        foreach (var item in task.GetProperty("items").EnumerateArray())
        {
            var (rows, query) = (GoldenMetrics.List<int>(item, "rows"), item.GetProperty("query").GetInt32());
            var cosines = GoldenMetrics.List<double>(item, "cosine");
            hasTies |= Neighbours(cosines, 1e-6) > 0;
            double[] relevances = [.. cosines.Select((_, i) => i < item.GetProperty("positives").GetInt32() ? 1.0 : 0)];
            var own = documents[rows[0]..rows[1]];
            GoldenMetrics.Close(cosines, [.. own.Select(d => (double)Similarity.Cosine(queries[query], d))], Tolerance, "cosine");
            var ranking = RankedDocuments.OfCandidates(cosines, relevances);
            GoldenMetrics.Close(item.GetProperty("ap").GetDouble(), ranking.AveragePrecision(RerankingProtocol.MapCutoff), Tolerance, "ap");
            GoldenMetrics.Close(item.GetProperty("ndcg_10").GetDouble(), ranking.Ndcg(10), Tolerance, "ndcg_10");
            exact.Add(RankedLabels.AveragePrecision(cosines, [.. relevances.Select(r => r > 0)]));
            GoldenMetrics.Close(item.GetProperty("sklearn_ap").GetDouble(), exact[^1], Tolerance, "sklearn_ap");
            if (relevances.Distinct().Count() == 2)
                ranked.Add(ranking);
            candidates.AddRange(own.Select((d, i) => new EmbeddingRow { Embedding = d, QueryId = $"{query}", Label = relevances[i] }));
        }

        CheckMeans(
            ranked.Average(r => r.AveragePrecision(RerankingProtocol.MapCutoff)),
            ranked.Average(r => r.ReciprocalRank(10)),
            ranked.Average(r => r.Ndcg(10)));
        var actual = EmbeddingEvaluation.Reranking(
            EmbeddingRow.Table(queries.Select((q, i) => new EmbeddingRow { Embedding = q, QueryId = $"{i}" })),
            EmbeddingRow.Table(candidates));
        if (!hasTies)
            CheckMeans(actual.MeanAveragePrecision, actual.MeanReciprocalRank, actual.Ndcg);

        void CheckMeans(double map, double mrr, double ndcg)
        {
            foreach (var mean in task.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Number))
            {
                var (value, tolerance) = mean.Name switch
                {
                    "map_at_1000" => (map, RoundedTolerance),
                    "mean_ap_exact" => (map, Tolerance),
                    "mrr_at_10" => (mrr, Tolerance),
                    "ndcg_at_10" => (ndcg, RoundedTolerance),
                    "mean_sklearn_ap" => (exact.Average(), Tolerance),
                    _ => throw new InvalidDataException($"There is no mean '{mean.Name}'."),
                };
                GoldenMetrics.Close(mean.Value.GetDouble(), value, tolerance, mean.Name);
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Retrievals))]
    public void Retrieval(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var (queries, documents) = (file.Rows(task, "queries"), file.Rows(task, "docs"));
        var relevant = task.GetProperty("relevant").EnumerateObject().ToDictionary(
            q => q.Name, q => q.Value.EnumerateObject().ToDictionary(
                d => DocumentId(int.Parse(d.Name, CultureInfo.InvariantCulture)), d => d.Value.GetDouble()));
        var protocol = new RetrievalProtocol(documents.Select((d, i) => (DocumentId(i), d)));
        foreach (var query in task.GetProperty("per_query").EnumerateObject())
        {
            var ids = protocol.Rank(queries[int.Parse(query.Name[1..], CultureInfo.InvariantCulture)], documents.Length);
            var ranking = new RankedDocuments([.. ids.Select(d => relevant[query.Name].GetValueOrDefault(d))], relevant[query.Name].Values);
            GoldenMetrics.Check(query.Value, score => Score(ranking, score), Tolerance);
        }

        var means = task.GetProperty("mean");
        foreach (var cutoff in means.EnumerateObject().Select(m => Cutoff(m.Name)).Distinct())
        {
            var actual = EmbeddingEvaluation.Retrieval(
                EmbeddingRow.Table(queries.Select((q, i) => new EmbeddingRow { Embedding = q, QueryId = $"q{i}" })),
                EmbeddingRow.Table(documents.Select((d, i) => new EmbeddingRow { Embedding = d, DocumentId = DocumentId(i) })),
                EmbeddingRow.Table(relevant.SelectMany(
                    q => q.Value.Select(d => new EmbeddingRow { QueryId = q.Key, DocumentId = d.Key, Label = d.Value }))),
                options: new EmbeddingRetrievalOptions { Cutoff = cutoff });
            GoldenMetrics.Check(
                means,
                mean => Cutoff(mean) != cutoff ? null : mean[..mean.IndexOf("_at_", StringComparison.Ordinal)] switch
                {
                    "ndcg" => actual.Ndcg,
                    "map" => actual.MeanAveragePrecision,
                    "recall" => actual.Recall,
                    "precision" => actual.Precision,
                    "mrr" => actual.MeanReciprocalRank,
                    _ => throw new InvalidDataException($"There is no mean '{mean}'."),
                },
                Tolerance);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Summarizations))]
    public void Summarization(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var task = file.Case(section, name);
        var gold = GoldenMetrics.List<double[]>(task, "gold");

        var actual = EmbeddingEvaluation.Summarization(
            EmbeddingRow.Table(OfTexts(file.Rows(task, "machine"), GoldenMetrics.List<int>(task, "machine_counts"))
                .Zip(gold.SelectMany(g => g), (row, score) =>
                {
                    row.Label = score;
                    return row;
                })),
            EmbeddingRow.Table(OfTexts(file.Rows(task, "human"), GoldenMetrics.List<int>(task, "human_counts"))));

        GoldenMetrics.Check(
            task.GetProperty("scores"),
            score => score switch
            {
                "pearson" or "cosine_pearson" => actual.Cosine.Pearson,
                "spearman" or "cosine_spearman" => actual.Cosine.Spearman,
                "dot_pearson" => actual.Dot.Pearson,
                "dot_spearman" => actual.Dot.Spearman,
                _ => throw new InvalidDataException($"There is no score '{score}'."),
            },
            Tolerance);
        var used = task.GetProperty("used_texts").GetInt32();
        Assert.Equal((used, gold.Length - used), (actual.Texts, actual.SkippedTexts));
    }

    [GeneratedRegex("^(P|recall|ndcg_cut|map_cut|recip_rank)_([0-9]+)$")]
    private static partial Regex TrecScore { get; }

    private static TheoryData<string, string, string> Cases(string section) =>
        GoldenMetrics.Cases(f => f.TryGetProperty("classification_note", out _), section);

    private static IDataView Labelled(float[][] rows, double[] labels) =>
        EmbeddingRow.Table(rows.Select((r, i) => new EmbeddingRow { Embedding = r, Label = labels[i] }));

    private static IDataView PairTable(float[][] a, float[][] b, double[] labels) =>
        EmbeddingRow.Table(a.Select((r, i) => new EmbeddingRow { Embedding1 = r, Embedding2 = b[i], Label = labels[i] }));

    private static IEnumerable<EmbeddingRow> OfTexts(float[][] rows, int[] counts) =>
        counts.SelectMany((count, text) => Enumerable.Repeat($"{text}", count)).Zip(
            rows, (text, r) => new EmbeddingRow { TextId = text, Embedding = r });

    private static string DocumentId(int number) => $"d{number:D4}";

    private static int Cutoff(string mean) => int.Parse(mean[(mean.LastIndexOf('_') + 1)..], CultureInfo.InvariantCulture);

    private static double Score(RankedDocuments ranking, string name)
    {
        var match = TrecScore.Match(name);
        Assert.True(match.Success, $"There is no score '{name}'.");
        var first = int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture);
        return match.Groups[1].Value switch
        {
            "P" => ranking.Precision(first),
            "recall" => ranking.Recall(first),
            "ndcg_cut" => ranking.Ndcg(first),
            "map_cut" => ranking.AveragePrecision(first),
            _ => ranking.ReciprocalRank(first),
        };
    }

    private static void Check(JsonElement expected, EmbeddingClassificationScores actual) => GoldenMetrics.Check(
        expected,
        score => score switch
        {
            "accuracy" => actual.Accuracy,
            "f1" => actual.MacroF1,
            "f1_weighted" => actual.WeightedF1,
            "precision" => actual.MacroPrecision,
            "precision_weighted" => actual.WeightedPrecision,
            "recall" => actual.MacroRecall,
            "recall_weighted" => actual.WeightedRecall,
            "ap" or "ap_weighted" => actual.AveragePrecision ?? double.NaN,
            _ => throw new InvalidDataException($"There is no score '{score}'."),
        },
        Tolerance);

    private static void CheckPairs(
        JsonElement expected,
        EmbeddingPairScores cosine,
        EmbeddingPairScores dot,
        EmbeddingPairScores euclidean,
        EmbeddingPairScores manhattan)
    {
        EmbeddingPairScores[] all = [cosine, dot, euclidean, manhattan];
        GoldenMetrics.Check(
            expected,
            name =>
            {
                var (similarity, score) = (
                    name[..name.IndexOf('_', StringComparison.Ordinal)], name[(name.IndexOf('_', StringComparison.Ordinal) + 1)..]);
                Func<EmbeddingPairScores, double> value = score switch
                {
                    "accuracy" => s => s.Accuracy,
                    "f1" => s => s.F1,
                    "precision" => s => s.Precision,
                    "recall" => s => s.Recall,
                    "ap" => s => s.AveragePrecision,
                    _ => throw new InvalidDataException($"There is no score '{score}'."),
                };
                return similarity switch
                {
                    "similarity" or "cosine" => value(cosine),
                    "dot" => value(dot),
                    "euclidean" => value(euclidean),
                    "manhattan" => value(manhattan),
                    "max" => all.Max(value),
                    _ => throw new InvalidDataException($"There is no similarity '{similarity}'."),
                };
            },
            Tolerance);
    }

    private delegate float OfPair(ReadOnlySpan<float> x, ReadOnlySpan<float> y);

    private static void CheckSimilarities(JsonElement item, string name, float[][] a, float[][] b, OfPair similarity)
    {
        var expected = GoldenMetrics.List<double>(item, name);
        GoldenMetrics.Close(expected, [.. expected.Select((_, i) => (double)similarity(a[i], b[i]))], Tolerance, name);
    }

    /// <summary>How many sorted neighbours are no farther apart than so much, relative to values over 1.</summary>
    private static int Neighbours(double[] values, double distance)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Zip(sorted.Skip(1)).Count(p => p.Second - p.First <= distance * Math.Max(1, Math.Abs(p.First)));
    }

    /// <summary>How much a rank correlation may change because rounding in single precision swaps neighbours.</summary>
    private static double RankSlack(float[] values) =>
        Neighbours(Array.ConvertAll(values, v => (double)v), 2e-6) * 24.0 / ((double)values.Length * values.Length);
}
