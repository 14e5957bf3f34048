using Microsoft.ML.Data;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.Persistence;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>The optional columns about the routers' uncertainty.</summary>
public sealed class RouterEntropyTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TransformerChain<MoeTextClassificationTransformer> _model;
    private readonly MoeTextClassificationTransformer _transformer;

    public RouterEntropyTests()
    {
        _model = Tests.Models.Fit(_ml, o => (o.Layers, o.Experts) = (2, 3));
        _transformer = _model.LastTransformer;
    }

    public void Dispose() => _model.Dispose();

    [Fact]
    public void They_tell_mean_and_maximum_over_tokens_and_layers_as_a_report_on_that_row_does()
    {
        using var telling = _transformer.WithRouterEntropy(threshold: 0.9);
        var rows = Tables.Rows(40, seed: 4);

        foreach (var (row, told) in rows.Zip(Read(telling, rows)))
        {
            var report = _transformer.ReportRouting(
                _ml.Data.LoadFromEnumerable(new[] { row }), new() { UncertainThreshold = 0, EntropyBins = 1000 });
            Assert.Equal(report.Layers.Average(l => l.MeanEntropy), told.RouterEntropy[0], 1e-5);
            var highest = report.Layers.SelectMany(l => l.EntropyHistogram).Where(bin => bin.Tokens > 0).MaxBy(bin => bin.From)!;
            Assert.InRange(told.RouterEntropy[1], highest.From - 1e-6, highest.To + 1e-6);
            Assert.Equal(told.RouterEntropy[0] >= 0.9 * Math.Log(3), told.Uncertain);
        }
    }

    [Fact]
    public void The_threshold_divides_the_rows()
    {
        var rows = Tables.Rows(40, seed: 4);
        using var probe = _transformer.WithRouterEntropy();
        var means = Read(probe, rows).Select(r => r.RouterEntropy[0]).ToList();
        var middle = means.Order().ElementAt(20);
        using var telling = _transformer.WithRouterEntropy(null, "Uncertain", (middle - 1e-6) / Math.Log(3));

        var flags = _ml.Data.CreateEnumerable<Flagged>(telling.Transform(Data(rows)), false).Select(r => r.Uncertain);

        Assert.Equal(means.Select(mean => mean >= middle), flags);
    }

    [Fact]
    public void Scores_are_the_same_with_and_without_them()
    {
        var rows = Tables.Rows(40, seed: 4);
        using var telling = _transformer.WithRouterEntropy();

        Tests.Models.AssertSame(Tests.Models.Score(_ml, _transformer, rows), Tests.Models.Score(_ml, telling, rows));
    }

    [Fact]
    public void Their_schema_is_the_same_everywhere()
    {
        var rows = Data(Tables.Rows());
        var data = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(rows).Transform(rows);
        var trainer = Tests.Models.Trainer(_ml, o => (o.RouterEntropyColumnName, o.UncertainColumnName) = ("Unruhe ö", "Unsicher"));
        using var transformer = trainer.Fit(data);
        var schema = transformer.GetOutputSchema(data.Schema);

        Assert.Equal(2, Assert.IsType<VectorDataViewType>(schema["Unruhe ö"].Type).Size);
        Assert.Equal("Mean|Max", SchemaAssert.AnnotationText(schema["Unruhe ö"].Annotations, "SlotNames"));
        Assert.Equal(BooleanDataViewType.Instance, schema["Unsicher"].Type);
        Assert.Equal(["PredictedLabel", "Score", "Unruhe ö", "Unsicher"], schema.Skip(data.Schema.Count).Select(c => c.Name));
        SchemaAssert.Equal(schema, transformer.Transform(data).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)transformer).GetRowToRowMapper(data.Schema).OutputSchema);
        SchemaAssert.Equal(schema, RoundTripTests.Load(RoundTripTests.Save(transformer)).GetOutputSchema(data.Schema));
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), trainer.GetOutputSchema(SchemaAssert.ShapeOf(data.Schema)));
    }

    [Fact]
    public void Each_can_be_there_alone_and_both_can_go_again()
    {
        var schema = Data(Tables.Rows()).Schema;
        using var entropy = _transformer.WithRouterEntropy(uncertainColumnName: null);
        using var uncertain = entropy.WithRouterEntropy(entropyColumnName: null);
        using var none = uncertain.WithRouterEntropy(null, null);

        Assert.Equal(["RouterEntropy"], Added(entropy));
        Assert.Equal(["Uncertain"], Added(uncertain));
        Assert.Empty(Added(none));

        IEnumerable<string> Added(MoeTextClassificationTransformer transformer) =>
            transformer.GetOutputSchema(schema).Skip(schema.Count + 2).Select(c => c.Name);
    }

    [Fact]
    public void They_are_saved_and_survive_another_router()
    {
        var rows = Tables.Rows(20, seed: 4);
        using var telling = _transformer.WithRouterEntropy(threshold: 0.97);
        using var again = (MoeTextClassificationTransformer)RoundTripTests.Load(RoundTripTests.Save(telling));
        using var rerouted = again.WithRouting(Router.Unified(1));

        AssertSame(Read(telling, rows), Read(again, rows));
        Assert.Equal(20, Read(rerouted, rows).Count);
    }

    [Fact]
    public void A_model_without_them_has_no_trace_of_them_in_its_file()
    {
        static string Columns(byte[] zip) => System.Text.Encoding.UTF8.GetString(
            Zip.Read(zip).Single(f => f.Key.EndsWith("/Columns.json", StringComparison.Ordinal)).Value);
        using var telling = _transformer.WithRouterEntropy();

        Assert.DoesNotContain("uncertain", Columns(RoundTripTests.Save(_transformer)), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\"threshold\": 0.75", Columns(RoundTripTests.Save(telling)), StringComparison.Ordinal);
    }

    [Fact]
    public void Single_rows_are_told_as_batches_are_and_scored_once()
    {
        var rows = Tables.Rows(10, seed: 4);
        using var telling = _transformer.WithRouterEntropy(threshold: 0.9);
        var expected = Read(telling, rows);
        var before = telling.ScoringCalls;

        using var engine = _ml.Model.CreatePredictionEngine<Row, Told>(telling, new PredictionEngineOptions { OwnsTransformer = false });
        var told = rows.Select(engine.Predict).ToList();

        AssertSame(expected, told);
        Assert.Equal(10, telling.ScoringCalls - before);
    }

    [Fact]
    public void Any_of_the_columns_can_be_read_alone()
    {
        var rows = Tables.Rows(10, seed: 4);
        using var telling = _transformer.WithRouterEntropy();
        var scored = telling.Transform(Data(rows));

        Assert.Equal(Read(telling, rows).Select(r => r.RouterEntropy), scored.GetColumn<float[]>("RouterEntropy"));
        Assert.Equal(Read(telling, rows).Select(r => r.Uncertain), scored.GetColumn<bool>("Uncertain"));
        Assert.Equal(Tests.Models.Score(_ml, telling, rows).Select(r => r.PredictedLabel), scored.GetColumn<uint>("PredictedLabel"));
    }

    [Fact]
    public void Impossible_columns_are_named()
    {
        var threshold = Assert.Throws<ArgumentOutOfRangeException>(() => _transformer.WithRouterEntropy(threshold: double.NaN));
        Assert.Equal("threshold", threshold.ParamName);
        Assert.Equal("entropyColumnName", Assert.Throws<ArgumentException>(() => _transformer.WithRouterEntropy("Score")).ParamName);
        Assert.Equal("uncertainColumnName", Assert.Throws<ArgumentException>(() => _transformer.WithRouterEntropy("A", "A")).ParamName);
        Assert.Equal("uncertainColumnName", Assert.Throws<ArgumentException>(() => _transformer.WithRouterEntropy("A", "")).ParamName);
        using var dense = Tests.Models.Fit(_ml, o => o.MoeEvery = 0);
        var error = Assert.Throws<InvalidOperationException>(() => dense.LastTransformer.WithRouterEntropy());
        Assert.Contains("no MoE layers", error.Message, StringComparison.Ordinal);

        _transformer.Dispose();
        Assert.False(_transformer.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => _transformer.WithRouterEntropy());
    }

    [Fact]
    public void Disposing_the_original_leaves_them_at_work()
    {
        var rows = Tables.Rows(10, seed: 4);
        using var telling = _transformer.WithRouterEntropy();
        var expected = Read(telling, rows);

        _transformer.Dispose();

        AssertSame(expected, Read(telling, rows));
    }

    private IDataView Data(IEnumerable<Row> rows) => _ml.Data.LoadFromEnumerable(rows);

    private List<Told> Read(MoeTextClassificationTransformer transformer, IEnumerable<Row> rows) =>
        [.. _ml.Data.CreateEnumerable<Told>(transformer.Transform(Data(rows)), reuseRowObject: false)];

    private static void AssertSame(List<Told> expected, List<Told> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        Assert.All(expected.Zip(actual), pair =>
        {
            Assert.Equal(pair.First.Uncertain, pair.Second.Uncertain);
            Assert.Equal(pair.First.RouterEntropy[0], pair.Second.RouterEntropy[0], 1e-5f);
            Assert.Equal(pair.First.RouterEntropy[1], pair.Second.RouterEntropy[1], 1e-5f);
        });
    }

    private sealed class Told
    {
        [VectorType(2)]
        public float[] RouterEntropy { get; set; } = [];

        public bool Uncertain { get; set; }
    }

    private sealed class Flagged
    {
        public bool Uncertain { get; set; }
    }
}
