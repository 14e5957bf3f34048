using Microsoft.ML.Data;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.TextEmbeddings;

/// <summary>What ML.NET expects of every estimator and transformer, and what the zip holds.</summary>
public sealed class EmbedderConformanceTests : TextVectorConformance, IDisposable
{
    private readonly TinyEmbedder _tiny = new();
    private readonly MoeTextEmbeddingTransformer _embedder;
    private readonly IDataView _data;

    public EmbedderConformanceTests()
    {
        _data = Ml.Data.LoadFromEnumerable(Tables.Rows());
        _embedder = _tiny.Fit(Ml);
    }

    protected override MoeTransformer Transformer => _embedder;

    public void Dispose()
    {
        _embedder.Dispose();
        _tiny.Dispose();
    }

    [Fact]
    public void AllSchemasAreTheSame()
    {
        var schema = _embedder.GetOutputSchema(_data.Schema);
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 16), schema["Features"].Type);
        SchemaAssert.Equal(schema, _embedder.Transform(_data).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)_embedder).GetRowToRowMapper(_data.Schema).OutputSchema);
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), _tiny.Estimator(Ml).GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema)));
        using var again = Reload(_embedder);
        SchemaAssert.Equal(schema, again.GetOutputSchema(_data.Schema));
    }

    [Fact]
    public void SavedAndReloadedEmbeddingsAreEqual()
    {
        using var again = Reload(_embedder);
        Assert.Equal(TextVectors.Of(Ml, _embedder), TextVectors.Of(Ml, again));
        Assert.Equal(_tiny.Path, again.EncoderName);
        Assert.Equal(16, again.MaximumTokens);
        using var twice = Reload(again);
        Assert.Equal(TextVectors.Of(Ml, _embedder), TextVectors.Of(Ml, twice));
    }

    [Fact]
    public void AStandardisedPromptedOneIsReloadedToo()
    {
        using var embedder = _tiny.Fit(Ml, new EmbedTextOptions
        {
            PromptName = "query",
            Standardize = true,
            Layers = [0, 2],
            Pooling = [TextPooling.Max, TextPooling.WeightedMean],
            Normalize = true,
        });
        using var again = Reload(embedder);
        Assert.Equal(TextVectors.Of(Ml, embedder), TextVectors.Of(Ml, again));
    }

    [Fact]
    public void StoredInBFloat16ItIsHalfAsLargeAndNear()
    {
        using var half = _tiny.Fit(Ml, new EmbedTextOptions { StoredWeights = ElementType.BFloat16, Normalize = true });
        using var again = Reload(half);
        foreach (var (expected, actual) in TextVectors.Of(Ml, half).Zip(TextVectors.Of(Ml, again)))
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 2e-2f));
        Assert.InRange(WeightsLength(half), 1, (0.6 * WeightsLength(_embedder)) + 4096);
        // the type stays
        Assert.Equal(WeightsLength(half), WeightsLength(again));
    }

    [Fact]
    public void AFreshProcessLoadsWithoutRegistrationOrTheEncodersFolder()
    {
        using var folder = new TemporaryFolder();
        using var embedder = _tiny.Fit(Ml, output: "Score");
        Ml.Model.Save(embedder, null, folder["embedder.zip"]);
        var texts = Tables.Rows(20, seed: 4).Select(r => r.Text!).ToList();
        Assert.Equal(TextVectors.Of(Ml, _embedder, texts), FreshProcess.Score(folder["embedder.zip"], texts));
    }

    [Fact]
    public void TheZipTellsTheBaseModel()
    {
        var config = Zip.Read(Saved(_embedder)).Single(e => e.Key.EndsWith("/Config.json", StringComparison.Ordinal)).Value;
        var text = System.Text.Encoding.UTF8.GetString(config);
        Assert.Contains("\"license\": \"mit\"", text, StringComparison.Ordinal);
        Assert.Contains("baseModel", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Columns.json")]
    [InlineData("Config.json")]
    [InlineData("Embedder.json")]
    [InlineData("HuggingFace.tokenizer.json")]
    [InlineData("Weights.safetensors")]
    public void ADamagedFileIsNamed(string entry)
    {
        var damaged = Zip.With(Saved(_embedder), "/" + entry, content => content[..^1]);
        Zip.AssertLoadingNames(entry, damaged);
    }

    [Fact]
    public void ReplacesItsInputWhenBothHaveTheSameName()
    {
        using var embedder = _tiny.Fit(Ml, output: "Text");
        var transformed = embedder.Transform(_data);
        Assert.IsType<VectorDataViewType>(transformed.Schema["Text"].Type);
        Assert.Equal(TextVectors.Of(Ml, _embedder), transformed.GetColumn<float[]>("Text"));
    }

    [Fact]
    public void UseAfterDisposeIsAnError()
    {
        var embedder = _tiny.Fit(Ml);
        embedder.Dispose();
        Assert.False(embedder.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => embedder.Transform(_data));
        Assert.Throws<ObjectDisposedException>(() => embedder.SaveHuggingFace("nowhere"));
        Assert.Throws<ObjectDisposedException>(() => Ml.Model.Save(embedder, null, new MemoryStream()));
    }

    [Fact]
    public void ALoadedOneWritesAFolderThatHuggingFaceReads()
    {
        using var folder = new TemporaryFolder();
        using var again = Reload(_embedder);
        again.SaveHuggingFace(folder.Path);
        using var fromFolder = Ml.Transforms.Text.EmbedText("Features", "Text", PublishedEncoder.FromFolder(folder.Path)).Fit(_data);
        Assert.Equal(TextVectors.Of(Ml, _embedder), TextVectors.Of(Ml, fromFolder));
        using var layers = _tiny.Fit(Ml, new EmbedTextOptions { Layers = [1] });
        Assert.Throws<InvalidOperationException>(() => layers.SaveHuggingFace(folder.Path));
    }

    [Theory]
    [InlineData("Nowhere", "no text column 'Nowhere'")]
    [InlineData("Number", "'Number' is of type Int32")]
    public void AMissingOrWrongColumnIsNamed(string column, string named)
    {
        var estimator = Ml.Transforms.Text.EmbedText("Features", column, _tiny.Encoder);
        var errors = new[]
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => estimator.Fit(_data)),
            Assert.Throws<ArgumentOutOfRangeException>(() => estimator.GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema))),
        };
        Assert.All(errors, error => Assert.Contains(named, error.Message, StringComparison.Ordinal));
    }

    private static int WeightsLength(MoeTextEmbeddingTransformer embedder) =>
        Zip.Read(Saved(embedder)).Single(e => e.Key.EndsWith("/Weights.safetensors", StringComparison.Ordinal)).Value.Length;

    private static byte[] Saved(MoeTextEmbeddingTransformer embedder)
    {
        using var stream = new MemoryStream();
        new MLContext().Model.Save(embedder, null, stream);
        return stream.ToArray();
    }

    private static MoeTextEmbeddingTransformer Reload(MoeTextEmbeddingTransformer embedder)
    {
        var loaded = new MLContext().Model.Load(new MemoryStream(Saved(embedder)), out _);
        return Assert.IsType<MoeTextEmbeddingTransformer>(loaded is IEnumerable<ITransformer> chain ? Assert.Single(chain) : loaded);
    }
}
