using System.Numerics;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class EmbeddingEvaluationTests
{
    private static readonly string[] Colours = ["red", "green", "blue"];
    private readonly MLContext _mlContext = new(seed: 1);

    [Fact]
    public void ClassesThatLieApartAreAllFound()
    {
        var metrics = EmbeddingEvaluation.Classification(Apart(60, seed: 1), Apart(30, seed: 2), labelColumnName: "Text");

        Assert.Equal((1, 1, null), (metrics.Mean.Accuracy, metrics.Mean.MacroF1, metrics.Mean.AveragePrecision));
        Assert.Equal(10, metrics.Experiments.Count);
        Assert.Equal("Classification: accuracy 1.0000, macro F1 1.0000, means of 10 experiments", metrics.ToString());
    }

    [Fact]
    public void LabelsMayBeKeysOnOneSideAndValuesOnTheOther()
    {
        var (train, test) = (Apart(60, seed: 1), Apart(30, seed: 2));
        var keys = _mlContext.Transforms.Conversion.MapValueToKey(
            "Text", keyOrdinality: ValueToKeyMappingEstimator.KeyOrdinality.ByOccurrence)
            .Fit(train)
            .Transform(train);

        Assert.Equal(1, EmbeddingEvaluation.Classification(keys, test, labelColumnName: "Text").Mean.Accuracy);
        Assert.Equal(1, EmbeddingEvaluation.Clustering(keys, labelColumnName: "Text").VMeasure, 1e-9);
    }

    [Fact]
    public void OfTwoClassesThePositiveOneIsTheLargerWhateverComesFirst()
    {
        var rows = Enumerable.Range(0, 40).Select(
            i => new EmbeddingRow { Embedding = [i % 2 == 0 ? 1 : -1, i % 7], Label = i % 2 == 0 ? 10 : 2 });
        var metrics = EmbeddingEvaluation.Classification(EmbeddingRow.Table(rows), EmbeddingRow.Table(rows));

        Assert.Equal(1, metrics.Mean.AveragePrecision);
        var flags = EmbeddingRow.Table(Flags());
        Assert.Equal(1, EmbeddingEvaluation.Classification(flags, flags, labelColumnName: "Flag").Mean.Accuracy);

        static IEnumerable<EmbeddingRow> Flags() =>
            Enumerable.Range(0, 40).Select(i => new EmbeddingRow { Embedding = [i % 2 == 0 ? 1 : -1, i % 7], Flag = i % 2 == 0 });
    }

    [Fact]
    public void ALabelThatTheTrainingRowsLackIsWrongEverywhere()
    {
        var test = EmbeddingRow.Table(
            [new EmbeddingRow { Embedding = [8, 0, 0], Text = "red" }, new EmbeddingRow { Embedding = [8, 0, 0], Text = "pink" }]);

        Assert.Equal(0.5, EmbeddingEvaluation.Classification(Apart(60, seed: 1), test, labelColumnName: "Text").Mean.Accuracy);
    }

    [Fact]
    public void ASingleClassCannotBeLearnt()
    {
        var table = EmbeddingRow.Table(
            [new EmbeddingRow { Embedding = [1], Text = "red" }, new EmbeddingRow { Embedding = [2], Text = "red" }]);

        var error = Assert.Throws<InvalidOperationException>(
            () => EmbeddingEvaluation.Classification(table, table, labelColumnName: "Text"));
        Assert.Contains("'red'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SetsAreClusteredByThemselves()
    {
        // Within a set each label has a place of its own; over both sets the places are shared.
        var rows = Enumerable.Range(0, 80).Select(i => new EmbeddingRow
        {
            Embedding = [10f * (((i / 2) + i) % 2), i % 5 / 10f],
            Label = i / 2 % 2,
            TextId = $"set {i % 2}",
        });
        var table = EmbeddingRow.Table(rows);

        var metrics = EmbeddingEvaluation.Clustering(table, setColumnName: "TextId");

        Assert.Equal([1, 1], metrics.VMeasures.Select(v => Math.Round(v, 9)));
        Assert.InRange(EmbeddingEvaluation.Clustering(table).VMeasure, 0, 0.1);
    }

    [Fact]
    public void SamplesOfASetAreClustered()
    {
        var options = EmbeddingClusteringOptions.Fast() with { RowShare = 0.5f, SampleSize = 40, Samples = 4 };
        var metrics = EmbeddingEvaluation.Clustering(Apart(60, seed: 1), labelColumnName: "Text", options: options);

        Assert.Equal(4, metrics.VMeasures.Count);
        Assert.Equal(1, metrics.VMeasure, 1e-9);
        Assert.Equal("Clustering: v-measure 1.0000, mean of 4 clusterings", metrics.ToString());
    }

    [Fact]
    public void SimilarityFollowsTheScores()
    {
        var rows = Enumerable.Range(1, 20).Select(i => new EmbeddingRow { Embedding1 = [1, 0], Embedding2 = [1, 1f / i], Label = i });
        var metrics = EmbeddingEvaluation.TextSimilarity(EmbeddingRow.Table(rows));

        Assert.Equal((1, 1, 1), (metrics.Cosine.Spearman, metrics.Euclidean.Spearman, metrics.Manhattan.Spearman));
        Assert.Equal(double.NaN, metrics.Dot.Spearman);
        Assert.StartsWith("Text similarity: cosine Spearman 1.0000", metrics.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void PairsMayBeLabelledByBooleans()
    {
        var rows = Enumerable.Range(0, 20).Select(
            i => new EmbeddingRow { Embedding1 = [1, 0], Embedding2 = [i % 2, 1], Flag = i % 2 == 1 });
        var metrics = EmbeddingEvaluation.PairClassification(EmbeddingRow.Table(rows), labelColumnName: "Flag");

        Assert.Equal((1, 1, 1, 20), (metrics.MaxAveragePrecision, metrics.MaxAccuracy, metrics.MaxF1, metrics.Pairs));
        Assert.Equal(0.5, metrics.Dot.AccuracyThreshold);
    }

    [Fact]
    public void LabelsOfPairsAreOneOrZero()
    {
        var table = EmbeddingRow.Table([new EmbeddingRow { Label = 1 }, new EmbeddingRow { Label = 2 }]);

        var error = Assert.Throws<InvalidOperationException>(() => EmbeddingEvaluation.PairClassification(table));
        Assert.Equal("Row 2 has the label 2 in column 'Label'; labels of pairs must be 1 or 0.", error.Message);
    }

    [Fact]
    public void TheClosestOfSeveralQueriesCounts()
    {
        var queries = EmbeddingRow.Table([Query("a", 1, 0), Query("a", 0, 1), Query("b", 1, 0), Query("unused", 1, 0)]);
        var candidates = EmbeddingRow.Table(
            [Query("a", 0.1f, 1, 1), Query("a", 1, 1, 0), Query("b", 1, 1, 1), Query("b", 1, 0, 0), Query("b", 0, 1, 0)]);

        var metrics = EmbeddingEvaluation.Reranking(queries, candidates);

        Assert.Equal(
            (0.75, 0.75, 2, 1), (metrics.MeanAveragePrecision, metrics.MeanReciprocalRank, metrics.Queries, metrics.SkippedQueries));
        var error = Assert.Throws<InvalidOperationException>(
            () => EmbeddingEvaluation.Reranking(EmbeddingRow.Table([Query("a", 1, 0)]), candidates));
        Assert.Contains("query 'b'", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => EmbeddingEvaluation.Reranking(queries, EmbeddingRow.Table([Query("a", 1, 0, 1)])));
    }

    [Fact]
    public void OfEquallyCloseDocumentsTheLargerIdComesFirst()
    {
        var queries = EmbeddingRow.Table([Query("q", 1, 0), Query("other", 1, 0)]);
        var documents = EmbeddingRow.Table([Document("a", 1, 0), Document("b", 1, 0), Document("c", 0, 1)]);
        var judgments = EmbeddingRow.Table([new EmbeddingRow { QueryId = "q", DocumentId = "a", Label = 1 }]);

        var metrics = EmbeddingEvaluation.Retrieval(queries, documents, judgments, options: new EmbeddingRetrievalOptions { Cutoff = 2 });

        Assert.Equal((0.5, 0.5, 1, 0.5), (metrics.MeanReciprocalRank, metrics.MeanAveragePrecision, metrics.Recall, metrics.Precision));
        Assert.Equal((1, 1), (metrics.Queries, metrics.SkippedQueries));
        Assert.StartsWith("Retrieval: nDCG@2 0.6309", metrics.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void IdsThatDoNotFitAreTold()
    {
        var queries = EmbeddingRow.Table([Query("q", 1, 0)]);
        var documents = EmbeddingRow.Table([Document("a", 1, 0)]);
        EmbeddingRow judgment = new() { QueryId = "q", DocumentId = "a", Label = 1 };

        Assert.Contains(
            "id 'a'",
            Message(queries, EmbeddingRow.Table([Document("a", 1, 0), Document("a", 1, 0)]), [judgment]),
            StringComparison.Ordinal);
        Assert.Contains("document 'a' for query 'q'", Message(queries, documents, [judgment, judgment]), StringComparison.Ordinal);
        Assert.Contains(
            "ids",
            Message(queries, documents, [new EmbeddingRow { QueryId = "x", DocumentId = "a", Label = 1 }]),
            StringComparison.Ordinal);

        static string Message(IDataView queries, IDataView documents, EmbeddingRow[] judgments) => Assert.Throws<InvalidOperationException>(
            () => EmbeddingEvaluation.Retrieval(queries, documents, EmbeddingRow.Table(judgments))).Message;
    }

    [Fact]
    public void TextsWithEqualScoresAreLeftOut()
    {
        var human = EmbeddingRow.Table([Summary("t", 1, 0), Summary("u", 1, 0)]);
        var machine = EmbeddingRow.Table(
            [Summary("t", 1, 0, 5), Summary("t", 1, 1, 3), Summary("t", 0, 1, 1), Summary("u", 1, 0, 2), Summary("u", 0, 1, 2)]);

        var metrics = EmbeddingEvaluation.Summarization(machine, human);

        Assert.Equal((1, 1, 1), (Math.Round(metrics.Cosine.Spearman, 9), metrics.Texts, metrics.SkippedTexts));
        Assert.Contains(
            "text 'u'",
            Assert.Throws<InvalidOperationException>(
                () => EmbeddingEvaluation.Summarization(machine, EmbeddingRow.Table([Summary("t", 1, 0)]))).Message,
            StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(
            () => EmbeddingEvaluation.Summarization(EmbeddingRow.Table([Summary("t", 1, 0, 5)]), human));
    }

    [Fact]
    public void ColumnsThatDoNotFitAreNamed()
    {
        var table = Apart(6, seed: 1);

        Assert.Contains(
            "no embedding column 'Vector'", Message(() => EmbeddingEvaluation.Clustering(table, "Vector")), StringComparison.Ordinal);
        Assert.Contains("embedding column 'Text'", Message(() => EmbeddingEvaluation.Clustering(table, "Text")), StringComparison.Ordinal);
        Assert.Contains(
            "label column 'Embedding'",
            Message(() => EmbeddingEvaluation.Clustering(table, labelColumnName: "Embedding")),
            StringComparison.Ordinal);
        Assert.Contains(
            "score column 'Text'",
            Message(() => EmbeddingEvaluation.TextSimilarity(table, scoreColumnName: "Text")),
            StringComparison.Ordinal);
        Assert.Contains(
            "3 and 1 numbers",
            Message(() => EmbeddingEvaluation.TextSimilarity(table, "Embedding", "Embedding2")),
            StringComparison.Ordinal);
        Assert.Contains(
            "3 and 2 numbers",
            Message(() => EmbeddingEvaluation.Classification(table, EmbeddingRow.Table([Query("q", 1, 0)]))),
            StringComparison.Ordinal);

        static string Message(Action action) => Assert.Throws<ArgumentOutOfRangeException>(action).Message;
    }

    [Fact]
    public void RowsWithoutAValueAreNamed()
    {
        Assert.Equal(
            "Row 2 has an embedding that is not finite in column 'Embedding'.",
            Message([new EmbeddingRow { Embedding = [1] }, new EmbeddingRow { Embedding = [float.NaN] }], "Label"));
        Assert.Equal("Row 1 has no value in column 'Text'.", Message([new EmbeddingRow { Embedding = [1], Text = "" }], "Text"));
        Assert.Equal("The table of rows has no rows.", Message([], "Text"));
        Assert.Equal(
            "Row 1 has no finite number in column 'Label'.",
            Assert.Throws<InvalidOperationException>(
                () => EmbeddingEvaluation.TextSimilarity(EmbeddingRow.Table([new EmbeddingRow { Label = double.NaN }]))).Message);

        static string Message(EmbeddingRow[] rows, string label) => Assert.Throws<InvalidOperationException>(
            () => EmbeddingEvaluation.Clustering(EmbeddingRow.Table(rows), labelColumnName: label)).Message;
    }

    [Fact]
    public void AKeyThatIsMissingIsNamed()
    {
        var table = EmbeddingRow.Table([new EmbeddingRow { Embedding = [1], Text = "known" }]);
        var keys = _mlContext.Transforms.Conversion.MapValueToKey("Text").Fit(table);
        var unknown = keys.Transform(EmbeddingRow.Table([new EmbeddingRow { Embedding = [1], Text = "unknown" }]));

        var error = Assert.Throws<InvalidOperationException>(() => EmbeddingEvaluation.Clustering(unknown, labelColumnName: "Text"));
        Assert.Equal("Row 1 has no value in column 'Text'.", error.Message);
    }

    [Fact]
    public void ScoresMayBeNumbersOfAnyType()
    {
        Check<sbyte>();
        Check<byte>();
        Check<short>();
        Check<ushort>();
        Check<int>();
        Check<uint>();
        Check<long>();
        Check<ulong>();
        Check<float>();
        Check<double>();

        void Check<T>()
            where T : INumber<T>
        {
            var rows = Enumerable.Range(1, 9)
                .Select(i => new ScoredPair<T> { Embedding1 = [1, 0], Embedding2 = [1, 1f / i], Label = T.CreateChecked(i) });
            Assert.Equal(1, EmbeddingEvaluation.TextSimilarity(_mlContext.Data.LoadFromEnumerable(rows)).Cosine.Spearman, 1e-9);
        }
    }

    [Fact]
    public void OptionsOutOfRangeAreNamed()
    {
        var table = Apart(6, seed: 1);

        AssertNamed("Experiments", () => EmbeddingEvaluation.Classification(table, table, options: new() { Experiments = 0 }));
        AssertNamed("RowsForEachClass", () => EmbeddingEvaluation.Classification(table, table, options: new() { RowsForEachClass = 0 }));
        AssertNamed("MaxIterations", () => EmbeddingEvaluation.Classification(table, table, options: new() { MaxIterations = 0 }));
        AssertNamed("BatchSize", () => EmbeddingEvaluation.Clustering(table, options: new() { BatchSize = 0 }));
        AssertNamed("RowShare", () => EmbeddingEvaluation.Clustering(table, options: new() { RowShare = float.NaN }));
        AssertNamed("Samples", () => EmbeddingEvaluation.Clustering(table, options: new() { Samples = -1 }));
        AssertNamed("SampleSize", () => EmbeddingEvaluation.Clustering(table, options: new() { SampleSize = 0 }));
        AssertNamed("Cutoff", () => EmbeddingEvaluation.Retrieval(table, table, table, options: new() { Cutoff = 0 }));

        static void AssertNamed(string option, Action action) => Assert.Equal(
            option, Assert.Throws<ArgumentOutOfRangeException>(action).ParamName);
    }

    [Fact]
    public void EvaluationsCanBeCancelled()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        var table = Apart(6, seed: 1);

        Assert.Throws<OperationCanceledException>(
            () => EmbeddingEvaluation.Clustering(table, labelColumnName: "Text", cancellationToken: source.Token));
        Assert.Throws<OperationCanceledException>(() => EmbeddingEvaluation.TextSimilarity(table, cancellationToken: source.Token));
    }

    private static IDataView Apart(int count, int seed)
    {
        var random = new Random(seed);
        return EmbeddingRow.Table(Enumerable.Range(0, count).Select(i => new EmbeddingRow
        {
            Embedding = [.. Enumerable.Range(0, 3).Select(k => (k == i % 3 ? 8f : 0f) + random.NextSingle())],
            Text = Colours[i % 3],
        }));
    }

    private static EmbeddingRow Query(string id, float x, float y, double relevance = 0) =>
        new() { Embedding = [x, y], QueryId = id, Label = relevance };

    private static EmbeddingRow Document(string id, float x, float y) => new() { Embedding = [x, y], DocumentId = id };

    private static EmbeddingRow Summary(string text, float x, float y, double score = 0) =>
        new() { Embedding = [x, y], TextId = text, Label = score };

    private sealed class ScoredPair<T>
    {
        [VectorType(2)]
        public float[] Embedding1 { get; set; } = [];

        [VectorType(2)]
        public float[] Embedding2 { get; set; } = [];

        public T? Label { get; set; }
    }
}
