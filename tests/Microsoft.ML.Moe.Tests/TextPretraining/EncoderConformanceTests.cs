using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextPretraining;

/// <summary>What ML.NET expects of every estimator and transformer.</summary>
public sealed class EncoderConformanceTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly MoeTextEncoderTransformer _encoder;
    private readonly IDataView _data;

    public EncoderConformanceTests()
    {
        _data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        _encoder = Encoders.Fit(_ml);
    }

    public void Dispose() => _encoder.Dispose();

    [Fact]
    public void AllSchemasAreTheSame()
    {
        var schema = _encoder.GetOutputSchema(_data.Schema);
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 16), schema["Features"].Type);
        SchemaAssert.Equal(schema, _encoder.Transform(_data).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)_encoder).GetRowToRowMapper(_data.Schema).OutputSchema);
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), Encoders.Pretrainer(_ml).GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema)));
        using var again = Reload();
        SchemaAssert.Equal(schema, ((ITransformer)again).GetOutputSchema(_data.Schema));
    }

    [Fact]
    public void SavedAndReloadedVectorsAreEqual()
    {
        using var again = Reload();
        Assert.Equal(Encoders.Encode(_ml, _encoder), Encoders.Encode(_ml, (ITransformer)again));
    }

    [Fact]
    public void AFreshProcessLoadsWithoutRegistration()
    {
        using var folder = new TemporaryFolder();
        using var encoder = Encoders.Fit(_ml, o => o.OutputColumnName = "Score");
        _ml.Model.Save(encoder, null, folder["encoder.zip"]);
        var texts = Tables.Rows(20, seed: 4).Select(r => r.Text!).ToList();
        Assert.Equal(Encoders.Encode(_ml, _encoder, texts), FreshProcess.Score(folder["encoder.zip"], texts));
    }

    [Fact]
    public void TheZipIsReadableByOtherTools()
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(_encoder, null, stream);
        var names = Zip.Read(stream.ToArray()).Keys.Select(name => name.Split('/')[^1]);
        Assert.Equal(
            ["Columns.json", "Config.json", "Model.key", "Weights.safetensors"],
            names.Intersect(["Columns.json", "Config.json", "Model.key", "Weights.safetensors"]).Order());
    }

    [Theory]
    [InlineData("Columns.json")]
    [InlineData("Config.json")]
    [InlineData("Weights.safetensors")]
    public void ADamagedFileIsNamed(string entry)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(_encoder, null, stream);
        var damaged = Zip.With(stream.ToArray(), "/" + entry, content => content[..^1]);
        var error = Record.Exception(() => _ml.Model.Load(new MemoryStream(damaged), out _));
        var messages = new List<string>();
        for (; error is not null; error = error.InnerException)
            messages.Add(error.Message);
        Assert.Contains(messages, m => m.Contains(entry, StringComparison.Ordinal));
    }

    [Fact]
    public void TheVocabularyIsCarriedAlong()
    {
        using var folder = new TemporaryFolder();
        using var encoder = Encoders.Fit(
            _ml, o => (o.OutputColumnName, o.Tokenizer) = ("Score", TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream())));
        _ml.Model.Save(encoder, null, folder["encoder.zip"]);
        var vectors = FreshProcess.Score(folder["encoder.zip"], ["rain sun", "storm,apple!"]);
        Assert.NotEqual(vectors[0], vectors[1]);
    }

    [Fact]
    public void ReplacesItsInputWhenBothHaveTheSameName()
    {
        using var encoder = Encoders.Fit(_ml, o => o.OutputColumnName = "Text");
        var transformed = encoder.Transform(_data);
        Assert.IsType<VectorDataViewType>(transformed.Schema["Text"].Type);
        Assert.Equal(
            Encoders.Encode(_ml, _encoder),
            transformed.GetColumn<float[]>("Text"));
        SchemaAssert.Equal(
            SchemaAssert.ShapeOf(transformed.Schema),
            Encoders.Pretrainer(_ml, o => o.OutputColumnName = "Text").GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema)));
    }

    [Fact]
    public void APredictionEngineGivesTheSameVectorsAsATable()
    {
        var expected = Encoders.Encode(_ml, _encoder);
        using var engine = _ml.Model.CreatePredictionEngine<Row, Encoders.Vector>(
            _encoder, new PredictionEngineOptions { OwnsTransformer = false });
        foreach (var (row, vector) in Tables.Rows().Zip(expected))
            AssertNear(vector, engine.Predict(row).Features);
    }

    [Fact]
    public void SeveralCursorsAtOnceGiveTheSameVectors()
    {
        var expected = Encoders.Encode(_ml, _encoder);
        Parallel.For(0, 4, _ => Assert.Equal(expected, Encoders.Encode(_ml, _encoder)));
    }

    [Fact]
    public void OnlyWantedColumnsAreComputed()
    {
        var transformed = _encoder.Transform(_data);
        Assert.Equal(Enumerable.Range(0, 90), transformed.GetColumn<int>("Id"));
        Assert.Equal(0, _encoder.ScoringCalls);
        Assert.Equal(90, transformed.GetColumn<float[]>("Features").Count());
        Assert.Equal(1, _encoder.ScoringCalls);
    }

    [Fact]
    public void EveryTextHasAVectorEvenAMissingOne()
    {
        var vectors = Encoders.Encode(_ml, _encoder, [null, "", " ", "rain", string.Join(' ', Enumerable.Repeat("storm", 10_000))]);
        Assert.All(vectors, v => Assert.All(v, x => Assert.True(float.IsFinite(x))));
        Assert.Equal(vectors[0], vectors[1]);
    }

    [Fact]
    public void UseAfterDisposeIsAnError()
    {
        var encoder = Encoders.Fit(_ml);
        var transformed = encoder.Transform(_data);
        encoder.Dispose();
        encoder.Dispose();
        Assert.False(encoder.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => encoder.Transform(_data));
        Assert.Throws<ObjectDisposedException>(() => encoder.GetOutputSchema(_data.Schema));
        Assert.Throws<ObjectDisposedException>(() => transformed.GetColumn<float[]>("Features").ToList());
        Assert.Throws<ObjectDisposedException>(() => _ml.Model.Save(encoder, null, new MemoryStream()));
    }

    [Theory]
    [InlineData("Nowhere", "no text column 'Nowhere'")]
    [InlineData("Number", "'Number' is of type Int32")]
    [InlineData("Vector", "'Vector' is of type")]
    public void AMissingOrWrongColumnIsNamed(string column, string named)
    {
        var pretrainer = Encoders.Pretrainer(_ml, o => o.InputColumnName = column);
        var errors = new[]
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => pretrainer.Fit(_data)),
            Assert.Throws<ArgumentOutOfRangeException>(() => pretrainer.GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema))),
        };
        Assert.All(errors, error => Assert.Contains(named, error.Message, StringComparison.Ordinal));
        var other = _ml.Transforms.DropColumns("Text").Fit(_data).Transform(_data);
        Assert.Contains("'Text'", Assert.Throws<ArgumentOutOfRangeException>(() => _encoder.Transform(other)).Message, StringComparison.Ordinal);
    }

    private static void AssertNear(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach (var (x, y) in expected.Zip(actual))
            Assert.Equal(x, y, 1e-5f);
    }

    private IDisposable Reload()
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(_encoder, null, stream);
        stream.Position = 0;
        return (IDisposable)_ml.Model.Load(stream, out _);
    }
}
