using Microsoft.ML.Data;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.TextEmbeddings;

/// <summary>What ML.NET expects of every estimator and transformer, and what the zip holds.</summary>
public sealed class EmbedderConformanceTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TinyEmbedder _tiny = new();
    private readonly MoeTextEmbeddingTransformer _embedder;
    private readonly IDataView _data;

    public EmbedderConformanceTests()
    {
        _data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        _embedder = _tiny.Fit(_ml);
    }

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
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), _tiny.Estimator(_ml).GetOutputSchema(SchemaAssert.ShapeOf(_data.Schema)));
        using var again = Reload(_embedder);
        SchemaAssert.Equal(schema, again.GetOutputSchema(_data.Schema));
    }

    [Fact]
    public void SavedAndReloadedEmbeddingsAreEqual()
    {
        using var again = Reload(_embedder);
        Assert.Equal(TinyEmbedder.Embed(_ml, _embedder), TinyEmbedder.Embed(_ml, again));
        Assert.Equal(_tiny.Path, again.EncoderName);
        Assert.Equal(16, again.MaximumTokens);
        using var twice = Reload(again);
        Assert.Equal(TinyEmbedder.Embed(_ml, _embedder), TinyEmbedder.Embed(_ml, twice));
    }

    [Fact]
    public void AStandardisedPromptedOneIsReloadedToo()
    {
        using var embedder = _tiny.Fit(_ml, new EmbedTextOptions
        {
            PromptName = "query",
            Standardize = true,
            Layers = [0, 2],
            Pooling = [TextPooling.Max, TextPooling.WeightedMean],
            Normalize = true,
        });
        using var again = Reload(embedder);
        Assert.Equal(TinyEmbedder.Embed(_ml, embedder), TinyEmbedder.Embed(_ml, again));
    }

    [Fact]
    public void StoredInBFloat16ItIsHalfAsLargeAndNear()
    {
        using var half = _tiny.Fit(_ml, new EmbedTextOptions { StoredWeights = ElementType.BFloat16, Normalize = true });
        using var again = Reload(half);
        foreach (var (expected, actual) in TinyEmbedder.Embed(_ml, half).Zip(TinyEmbedder.Embed(_ml, again)))
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 2e-2f));
        Assert.InRange(WeightsLength(half), 1, (0.6 * WeightsLength(_embedder)) + 4096);
        // the type stays
        Assert.Equal(WeightsLength(half), WeightsLength(again));
    }

    [Fact]
    public void AFreshProcessLoadsWithoutRegistrationOrTheEncodersFolder()
    {
        using var folder = new TemporaryFolder();
        using var embedder = _tiny.Fit(_ml, output: "Score");
        _ml.Model.Save(embedder, null, folder["embedder.zip"]);
        var texts = Tables.Rows(20, seed: 4).Select(r => r.Text!).ToList();
        Assert.Equal(TinyEmbedder.Embed(_ml, _embedder, texts), FreshProcess.Score(folder["embedder.zip"], texts));
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
        var error = Record.Exception(() => _ml.Model.Load(new MemoryStream(damaged), out _));
        var messages = new List<string>();
        for (; error is not null; error = error.InnerException)
            messages.Add(error.Message);
        Assert.Contains(messages, m => m.Contains(entry, StringComparison.Ordinal));
    }

    [Fact]
    public void ReplacesItsInputWhenBothHaveTheSameName()
    {
        using var embedder = _tiny.Fit(_ml, output: "Text");
        var transformed = embedder.Transform(_data);
        Assert.IsType<VectorDataViewType>(transformed.Schema["Text"].Type);
        Assert.Equal(TinyEmbedder.Embed(_ml, _embedder), transformed.GetColumn<float[]>("Text"));
    }

    [Fact]
    public void APredictionEngineGivesTheSameVectorsAsATable()
    {
        var expected = TinyEmbedder.Embed(_ml, _embedder);
        using var engine = _ml.Model.CreatePredictionEngine<Row, TinyEmbedder.Vector>(
            _embedder, new PredictionEngineOptions { OwnsTransformer = false });
        foreach (var (row, vector) in Tables.Rows().Zip(expected))
            Assert.All(vector.Zip(engine.Predict(row).Features), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    [Fact]
    public void SeveralCursorsAtOnceGiveTheSameVectors()
    {
        var expected = TinyEmbedder.Embed(_ml, _embedder);
        Parallel.For(0, 4, _ => Assert.Equal(expected, TinyEmbedder.Embed(_ml, _embedder)));
    }

    [Fact]
    public void OnlyWantedColumnsAreComputed()
    {
        var transformed = _embedder.Transform(_data);
        Assert.Equal(Enumerable.Range(0, 90), transformed.GetColumn<int>("Id"));
        Assert.Equal(0, _embedder.ScoringCalls);
        Assert.Equal(90, transformed.GetColumn<float[]>("Features").Count());
        Assert.Equal(1, _embedder.ScoringCalls);
    }

    [Fact]
    public void EveryTextHasAVectorEvenAMissingOne()
    {
        var vectors = TinyEmbedder.Embed(_ml, _embedder, null, "", " ", "rain", string.Join(' ', Enumerable.Repeat("storm", 10_000)));
        Assert.All(vectors, v => Assert.All(v, x => Assert.True(float.IsFinite(x))));
        Assert.Equal(vectors[0], vectors[1]);
    }

    [Fact]
    public void UseAfterDisposeIsAnError()
    {
        var embedder = _tiny.Fit(_ml);
        embedder.Dispose();
        Assert.False(embedder.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => embedder.Transform(_data));
        Assert.Throws<ObjectDisposedException>(() => embedder.SaveHuggingFace("nowhere"));
        Assert.Throws<ObjectDisposedException>(() => _ml.Model.Save(embedder, null, new MemoryStream()));
    }

    [Fact]
    public void ALoadedOneWritesAFolderThatHuggingFaceReads()
    {
        using var folder = new TemporaryFolder();
        using var again = Reload(_embedder);
        again.SaveHuggingFace(folder.Path);
        using var fromFolder = _ml.Transforms.Text.EmbedText("Features", "Text", PublishedEncoder.FromFolder(folder.Path)).Fit(_data);
        Assert.Equal(TinyEmbedder.Embed(_ml, _embedder), TinyEmbedder.Embed(_ml, fromFolder));
        using var layers = _tiny.Fit(_ml, new EmbedTextOptions { Layers = [1] });
        Assert.Throws<InvalidOperationException>(() => layers.SaveHuggingFace(folder.Path));
    }

    [Theory]
    [InlineData("Nowhere", "no text column 'Nowhere'")]
    [InlineData("Number", "'Number' is of type Int32")]
    public void AMissingOrWrongColumnIsNamed(string column, string named)
    {
        var estimator = _ml.Transforms.Text.EmbedText("Features", column, _tiny.Encoder);
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

    private static MoeTextEmbeddingTransformer Reload(MoeTextEmbeddingTransformer embedder) =>
        Assert.IsType<MoeTextEmbeddingTransformer>(((TransformerChain<ITransformer>)new MLContext().Model.Load(
            new MemoryStream(Saved(embedder)), out _)).LastTransformer);
}
