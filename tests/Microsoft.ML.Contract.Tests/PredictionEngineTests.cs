using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class PredictionEngineTests
{
    private readonly MLContext _ml = new(1);
    private readonly IDataView _data;
    private readonly ITransformer _model;

    public PredictionEngineTests()
    {
        _data = _ml.Data.LoadFromEnumerable(Row.Table(5));
        _model = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Append(_ml.Transforms.Concatenate("All", "Number", "Pair"))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("Back", "Key")).Fit(_data);
    }

    [Fact]
    public void PredictsRowByRow()
    {
        using var engine = _ml.Model.CreatePredictionEngine<Row, Result>(_model);
        var first = engine.Predict(new Row { Label = "green", Text = "x", Number = 7, Pair = [1, 2] });
        var second = engine.Predict(new Row { Label = "unknown", Number = 8, Pair = [3, 4] });
        Assert.Equal(2u, first.Key);
        Assert.Equal("green", first.Back);
        Assert.Equal([7f, 1, 2], first.All);
        Assert.Equal("x", first.Text);
        Assert.Equal(0u, second.Key);
        Assert.Equal("", second.Back);
        Assert.Equal([8f, 3, 4], second.All);
        Assert.Equal([7f, 1, 2], first.All);
        Assert.Equal(_model.GetOutputSchema(_data.Schema).Describe(), engine.OutputSchema.Describe());
    }

    [Fact]
    public void ResultObjectsCanBeReused()
    {
        using var engine = _ml.Model.CreatePredictionEngine<Row, Result>(_model);
        var result = new Result();
        engine.Predict(new Row { Label = "red" }, ref result);
        Assert.Equal(1u, result.Key);
        var same = result;
        engine.Predict(new Row { Label = "blue" }, ref result);
        Assert.Same(same, result);
        Assert.Equal(3u, same.Key);
    }

    [Fact]
    public void MissingColumnsAreIgnoredUnlessToldOtherwise()
    {
        using (var engine = _ml.Model.CreatePredictionEngine<Row, WithExtra>(_model))
            Assert.Equal(1u, engine.Predict(new Row { Label = "red" }).Key);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => _ml.Model.CreatePredictionEngine<Row, WithExtra>(_model, ignoreMissingColumns: false));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Model.CreatePredictionEngine<WithExtra, Result>(_model));
    }

    [Fact]
    public void AnInputSchemaGivesTheInputItsTypes()
    {
        var concatenating = _ml.Transforms.Concatenate("All", "Number", "Pair").Fit(_data);
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Number", NumberDataViewType.Single);
        builder.AddColumn("Pair", new VectorDataViewType(NumberDataViewType.Single, 2));
        using var engine = _ml.Model.CreatePredictionEngine<OpenInput, OnlyAll>(concatenating, builder.ToSchema());
        Assert.Equal([1f, 2, 3], engine.Predict(new OpenInput { Number = 1, Pair = [2, 3] }).All);
        Assert.Equal("Vector<Single, 3>", engine.OutputSchema["All"].Type.ToString());
    }

    [Fact]
    public void DefinitionsRename()
    {
        var copying = _ml.Transforms.CopyColumns("B", "A").Fit(_ml.Data.LoadFromEnumerable(new[] { new AB() }));
        var input = SchemaDefinition.Create(typeof(OpenInput));
        input["Number"].ColumnName = "A";
        var output = SchemaDefinition.Create(typeof(OpenInput));
        output["Number"].ColumnName = "B";
        using var engine = _ml.Model.CreatePredictionEngine<OpenInput, OpenInput>(copying, true, input, output);
        Assert.Equal(4f, engine.Predict(new OpenInput { Number = 4, Pair = [] }).Number);
    }

    [Fact]
    public void TheEngineOwnsTheTransformerUnlessToldOtherwise()
    {
        var owned = new Counting(_model);
        var engine = _ml.Model.CreatePredictionEngine<Row, Result>(owned);
        engine.Dispose();
        engine.Dispose();
        Assert.Equal(1, owned.Disposals);

        var lent = new Counting(_model);
        using (var other = _ml.Model.CreatePredictionEngine<Row, Result>(lent, new PredictionEngineOptions { OwnsTransformer = false }))
            Assert.Equal("red", other.Predict(new Row { Label = "red" }).Back);
        Assert.Equal(0, lent.Disposals);
    }

    [Fact]
    public void AReloadedModelPredicts()
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(_model, _data.Schema, stream);
        stream.Position = 0;
        using var engine = _ml.Model.CreatePredictionEngine<Row, Result>(_ml.Model.Load(stream, out _));
        Assert.Equal("blue", engine.Predict(new Row { Label = "blue" }).Back);
    }

    private sealed class Result
    {
        public string Text { get; set; }

        public uint Key { get; set; }

        public string Back { get; set; }

        public float[] All { get; set; }
    }

    private sealed class WithExtra
    {
        public uint Key { get; set; }

        public float Extra { get; set; }
    }

    private sealed class OpenInput
    {
        public float Number { get; set; }

        public float[] Pair { get; set; }
    }

    private sealed class OnlyAll
    {
        public float[] All { get; set; }
    }

    private sealed class AB
    {
        public float A { get; set; }
    }

    private sealed class Counting(ITransformer inner) : ITransformer, IDisposable
    {
        public int Disposals { get; private set; }

        public bool IsRowToRowMapper => inner.IsRowToRowMapper;

        public void Dispose() => Disposals++;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inner.GetOutputSchema(inputSchema);

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => inner.GetRowToRowMapper(inputSchema);

        public void Save(ModelSaveContext ctx) => inner.Save(ctx);

        public IDataView Transform(IDataView input) => inner.Transform(input);
    }
}
