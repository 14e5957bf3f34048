using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextPretraining;

/// <summary>What ML.NET expects of every estimator and transformer.</summary>
public sealed class EncoderConformanceTests : TextVectorConformance, IDisposable
{
    private readonly MoeTextEncoderTransformer _encoder;
    private readonly IDataView _data;

    public EncoderConformanceTests()
    {
        _data = Ml.Data.LoadFromEnumerable(Tables.Rows());
        _encoder = Encoders.Fit(Ml);
    }

    protected override MoeTransformer Transformer => _encoder;

    public void Dispose() => _encoder.Dispose();

    [Fact]
    public void AllSchemasAreTheSame()
    {
        var schema = _encoder.GetOutputSchema(_data.Schema);
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 16), schema["Features"].Type);
        SchemaAssert.Equal(schema, _encoder.Transform(_data).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)_encoder).GetRowToRowMapper(_data.Schema).OutputSchema);
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), Encoders.Pretrainer(Ml).GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema)));
        using var again = Reload();
        SchemaAssert.Equal(schema, ((ITransformer)again).GetOutputSchema(_data.Schema));
    }

    [Fact]
    public void SavedAndReloadedVectorsAreEqual()
    {
        using var again = Reload();
        Assert.Equal(TextVectors.Of(Ml, _encoder), TextVectors.Of(Ml, (ITransformer)again));
    }

    [Fact]
    public void AFreshProcessLoadsWithoutRegistration()
    {
        using var folder = new TemporaryFolder();
        using var encoder = Encoders.Fit(Ml, o => o.OutputColumnName = "Score");
        Ml.Model.Save(encoder, null, folder["encoder.zip"]);
        var texts = Tables.Rows(20, seed: 4).Select(r => r.Text!).ToList();
        Assert.Equal(TextVectors.Of(Ml, _encoder, texts), FreshProcess.Score(folder["encoder.zip"], texts));
    }

    [Fact]
    public void TheZipIsReadableByOtherTools()
    {
        using var stream = new MemoryStream();
        Ml.Model.Save(_encoder, null, stream);
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
        Ml.Model.Save(_encoder, null, stream);
        var damaged = Zip.With(stream.ToArray(), "/" + entry, content => content[..^1]);
        Zip.AssertLoadingNames(entry, damaged);
    }

    [Fact]
    public void TheVocabularyIsCarriedAlong()
    {
        using var folder = new TemporaryFolder();
        using var encoder = Encoders.Fit(
            Ml, o => (o.OutputColumnName, o.Tokenizer) = ("Score", TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream())));
        Ml.Model.Save(encoder, null, folder["encoder.zip"]);
        var vectors = FreshProcess.Score(folder["encoder.zip"], ["rain sun", "storm,apple!"]);
        Assert.NotEqual(vectors[0], vectors[1]);
    }

    [Fact]
    public void ReplacesItsInputWhenBothHaveTheSameName()
    {
        using var encoder = Encoders.Fit(Ml, o => o.OutputColumnName = "Text");
        var transformed = encoder.Transform(_data);
        Assert.IsType<VectorDataViewType>(transformed.Schema["Text"].Type);
        Assert.Equal(
            TextVectors.Of(Ml, _encoder),
            transformed.GetColumn<float[]>("Text"));
        SchemaAssert.Equal(
            SchemaAssert.ShapeOf(transformed.Schema),
            Encoders.Pretrainer(Ml, o => o.OutputColumnName = "Text").GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema)));
    }

    [Fact]
    public void UseAfterDisposeIsAnError()
    {
        var encoder = Encoders.Fit(Ml);
        var transformed = encoder.Transform(_data);
        encoder.Dispose();
        encoder.Dispose();
        Assert.False(encoder.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => encoder.Transform(_data));
        Assert.Throws<ObjectDisposedException>(() => encoder.GetOutputSchema(_data.Schema));
        Assert.Throws<ObjectDisposedException>(() => transformed.GetColumn<float[]>("Features").ToList());
        Assert.Throws<ObjectDisposedException>(() => Ml.Model.Save(encoder, null, new MemoryStream()));
    }

    [Theory]
    [InlineData("Nowhere", "no text column 'Nowhere'")]
    [InlineData("Number", "'Number' is of type Int32")]
    [InlineData("Vector", "'Vector' is of type")]
    public void AMissingOrWrongColumnIsNamed(string column, string named)
    {
        var pretrainer = Encoders.Pretrainer(Ml, o => o.InputColumnName = column);
        var errors = new[]
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => pretrainer.Fit(_data)),
            Assert.Throws<ArgumentOutOfRangeException>(() => pretrainer.GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema))),
        };
        Assert.All(errors, error => Assert.Contains(named, error.Message, StringComparison.Ordinal));
        var other = Ml.Transforms.DropColumns("Text").Fit(_data).Transform(_data);
        Assert.Contains("'Text'", Assert.Throws<ArgumentOutOfRangeException>(() => _encoder.Transform(other)).Message, StringComparison.Ordinal);
    }

    private IDisposable Reload()
    {
        using var stream = new MemoryStream();
        Ml.Model.Save(_encoder, null, stream);
        stream.Position = 0;
        return (IDisposable)Ml.Model.Load(stream, out _);
    }
}
