using Microsoft.ML.Data;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.TextEmbeddings;

public sealed class EmbedTextTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TinyEmbedder _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public void APromptIsPutBeforeEachText()
    {
        using var plain = _tiny.Fit(_ml);
        using var named = _tiny.Fit(_ml, new EmbedTextOptions { PromptName = "query" });
        using var given = _tiny.Fit(_ml, new EmbedTextOptions { Prompt = "find ", PromptName = "document" });
        var expected = TextVectors.Of(_ml, plain, "find rain", "find sun");
        Assert.Equal(expected, TextVectors.Of(_ml, named, "rain", "sun"));
        Assert.Equal(expected, TextVectors.Of(_ml, given, "rain", "sun"));
    }

    [Fact]
    public void LongTextsAreCutOff()
    {
        using var plain = _tiny.Fit(_ml);
        Assert.Equal(16, plain.MaximumTokens);
        using var cut = _tiny.Fit(_ml, new EmbedTextOptions { MaximumTokens = 6 });
        Assert.Equal(6, cut.MaximumTokens);
        Assert.Equal(TextVectors.Of(_ml, plain, "rain"), TextVectors.Of(_ml, cut, "rainandsun"));
        using var beyond = _tiny.Fit(_ml, new EmbedTextOptions { MaximumTokens = 1000 });
        Assert.Equal(20, beyond.MaximumTokens);
    }

    [Fact]
    public void PoolingLayersAndLengthCanBeChosen()
    {
        using var plain = _tiny.Fit(_ml);
        using var other = _tiny.Fit(_ml, new EmbedTextOptions { Pooling = [TextPooling.FirstToken, TextPooling.Mean], Layers = [1, 3] });
        using var unit = _tiny.Fit(_ml, new EmbedTextOptions { Normalize = true });
        var mean = TextVectors.Of(_ml, plain, "rain")[0];
        var both = TextVectors.Of(_ml, other, "rain")[0];
        Assert.Equal(16, plain.Width);
        Assert.Equal(64, other.Width);
        Assert.Equal(mean, both[48..]);
        var length = MathF.Sqrt(mean.Sum(x => x * x));
        Assert.All(mean.Zip(TextVectors.Of(_ml, unit, "rain")[0]), pair => Assert.Equal(pair.First / length, pair.Second, 1e-6f));
    }

    [Fact]
    public void RouterWeightsOfAMixtureSumToOneInEachLayer()
    {
        using var tiny = new TinyEmbedder(TinyPublished.NomicMixture);
        using var plain = tiny.Fit(_ml);
        using var embedder = tiny.Fit(_ml, new EmbedTextOptions { RouterWeights = true });
        var embeddings = TextVectors.Of(_ml, embedder);
        Assert.Equal(16 + (2 * 4), embedder.Width);
        Assert.All(embeddings.Zip(TextVectors.Of(_ml, plain)), pair =>
        {
            Assert.Equal(pair.Second, pair.First[..16]);
            Assert.Equal(1f, pair.First[16..20].Sum(), 1e-5f);
            Assert.Equal(1f, pair.First[20..].Sum(), 1e-5f);
        });
        Assert.NotEqual(embeddings[0][16..], embeddings[1][16..]);
    }

    [Fact]
    public void AnotherRouterGivesOtherEmbeddings()
    {
        using var tiny = new TinyEmbedder(TinyPublished.NomicMixture);
        using var plain = tiny.Fit(_ml);
        using var unified = tiny.Fit(_ml, new EmbedTextOptions { Router = Router.Unified(1.5) });
        Assert.Equal(Router.Unified(1.5), unified.Router);
        Assert.NotEqual(TextVectors.Of(_ml, plain, "rain")[0], TextVectors.Of(_ml, unified, "rain")[0]);
    }

    [Fact]
    public void StandardisedByTheRowsOfFit()
    {
        using var tiny = new TinyEmbedder(TinyPublished.NomicMixture);
        using var embedder = tiny.Fit(_ml, new EmbedTextOptions { RouterWeights = true, Standardize = true });
        var rows = TextVectors.Of(_ml, embedder);
        for (var i = 0; i < embedder.Width; i++)
        {
            // a component that hardly varies is mostly rounding
            var mean = rows.Average(r => r[i]);
            Assert.Equal(0f, mean, 0.02f);
            Assert.Equal(1f, Math.Sqrt(rows.Sum(r => (r[i] - mean) * (r[i] - mean)) / (rows.Count - 1)), 0.05);
        }

        // by stored statistics: a row alone is what it was among others
        Assert.All(rows[7].Zip(TextVectors.Of(_ml, embedder, Tables.Rows()[7].Text)[0]), pair => Assert.Equal(pair.First, pair.Second, 0.05f));
        var one = tiny.Estimator(_ml, new EmbedTextOptions { Standardize = true });
        Assert.Throws<InvalidOperationException>(() => one.Fit(_ml.Data.LoadFromEnumerable(Tables.Rows(1))));
    }

    [Fact]
    public void AnOptionThatDoesNotFitTheEncoderIsNamed()
    {
        Named("PromptName", "nonsense", new EmbedTextOptions { PromptName = "nonsense" });
        Named("from 0 (the token vectors) to 3", "Layers", new EmbedTextOptions { Layers = [4] });
        Named("no router weights", "mixture", new EmbedTextOptions { RouterWeights = true });
        Assert.Throws<InvalidOperationException>(() => _tiny.Fit(_ml, new EmbedTextOptions { Router = Router.Unified() }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EmbedTextOptions { MaximumTokens = 1 });

        void Named(string one, string other, EmbedTextOptions options)
        {
            var error = Assert.Throws<ArgumentException>(() => _tiny.Fit(_ml, options));
            Assert.True(error.Message.Contains(one, StringComparison.Ordinal) || error.Message.Contains(other, StringComparison.Ordinal), error.Message);
        }
    }

    [Theory]
    [InlineData(null, ElementType.BFloat16)]
    [InlineData(WeightPrecision.AsStored, ElementType.BFloat16)]
    [InlineData(WeightPrecision.Int8, ElementType.Int8)]
    [InlineData(WeightPrecision.Float32, ElementType.Float32)]
    public void WeightsOfACausalMixtureAreAsItsFilesHaveThem(WeightPrecision? weights, ElementType expected)
    {
        using var folder = new TemporaryFolder();
        TinyCausal.Write(folder.Path, type: ElementType.BFloat16, routers: ElementType.Float32);
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows(12));
        using var embedder = _ml.Transforms.Text.EmbedText(
            "Features", "Text", PublishedEncoder.FromFolder(folder.Path), new EmbedTextOptions { Device = MoeDevice.Cpu, Weights = weights }).Fit(data);
        Assert.Contains(expected, TypesOf(embedder).Select(p => p.Type));
        Assert.Equal(expected == ElementType.Float32, TypesOf(embedder).All(p => p.Type == ElementType.Float32));

        using var stream = new MemoryStream();
        _ml.Model.Save(embedder, data.Schema, stream);
        stream.Position = 0;
        using var loaded = (MoeTextEmbeddingTransformer)_ml.Model.Load(stream, out _);

        Assert.Equal(TypesOf(embedder), TypesOf(loaded));
        // the matrices of a folder lie transposed in memory, those of a zip do not, and so sums are in another order
        var (expectedVectors, vectors) = (TextVectors.Of(_ml, embedder, "rain", "sun"), TextVectors.Of(_ml, loaded, "rain", "sun"));
        Assert.All(expectedVectors.SelectMany(v => v).Zip(vectors.SelectMany(v => v)), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        Assert.Equal(BitsOf(embedder), BitsOf(loaded));

        static IEnumerable<int> BitsOf(MoeTextEmbeddingTransformer one) =>
            [.. one.Model.Parameters.SelectMany(p => p.Value.ToArray()).Select(BitConverter.SingleToInt32Bits)];

        static IReadOnlyList<(string Name, ElementType Type)> TypesOf(MoeTextEmbeddingTransformer one) =>
            [.. one.Model.Parameters.Select(p => (p.Name, p.Value.ElementType))];
    }

    [Fact]
    public void AnEncoderIsInSinglePrecisionUnlessItIsToldOtherwise()
    {
        Assert.Null(new EmbedTextOptions().Weights);
        Assert.Throws<ArgumentOutOfRangeException>(() => new EmbedTextOptions { Weights = (WeightPrecision)7 });
        using var plain = _tiny.Fit(_ml);
        Assert.All(plain.Model.Parameters, p => Assert.Equal(ElementType.Float32, p.Value.ElementType));
    }

    [Fact]
    public void AMissingEncoderIsNamed()
    {
        var estimator = _ml.Transforms.Text.EmbedText("Features", "Text", PublishedEncoder.FromFolder("no/such/folder"));
        var error = Assert.Throws<DirectoryNotFoundException>(() => estimator.Fit(_ml.Data.LoadFromEnumerable(Tables.Rows())));
        Assert.Contains("no/such/folder", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void KMeansFollows()
    {
        var rows = Tables.Rows(90);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var model = MiniLM("Features").Append(_ml.Clustering.Trainers.KMeans("Features", numberOfClusters: 3)).Fit(data);
        var clusters = rows.Zip(model.Transform(data).GetColumn<uint>("PredictedLabel"), (row, cluster) => (row.Label, Cluster: cluster));
        var agree = clusters.GroupBy(c => c.Label).Sum(label => label.GroupBy(c => c.Cluster).Max(g => g.Count()));
        Assert.True(agree >= 80, $"{agree} of 90");
    }

    [Fact]
    public void ATrainerOfFeaturesFollowsAndIsSavedWithIt()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows(90));
        var test = _ml.Data.LoadFromEnumerable(Tables.Rows(60, seed: 2));
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(MiniLM("Features"))
            .AppendCacheCheckpoint(_ml)
            .Append(_ml.MulticlassClassification.Trainers.SdcaMaximumEntropy());
        var model = pipeline.Fit(data);
        var accuracy = _ml.MulticlassClassification.Evaluate(model.Transform(test)).MicroAccuracy;
        Assert.True(accuracy > 0.95, $"{accuracy}");

        using var stream = new MemoryStream();
        _ml.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var again = new MLContext().Model.Load(stream, out _);
        Assert.Equal(accuracy, _ml.MulticlassClassification.Evaluate(again.Transform(test)).MicroAccuracy);
    }

    private MoeTextEmbeddingEstimator MiniLM(string output) => _ml.Transforms.Text.EmbedText(
        output, nameof(Row.Text), PublishedEncoder.MiniLM, new EmbedTextOptions { Device = MoeDevice.Cpu });
}
