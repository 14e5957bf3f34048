using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.TextEmbeddings;

/// <summary>Embeddings of a causal mixture: states of the last token, and what its routers thought.</summary>
public sealed class CausalEmbedTextTests : IDisposable
{
    private const int States = 16;
    private const int Experts = 8;
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public CausalEmbedTextTests() => TinyCausal.Write(_folder.Path);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ATextIsTheSameAloneAndAmongLongerOnes()
    {
        using var embedder = Fit(new EmbedTextOptions { RouterWeights = true });
        Assert.Equal(States + (2 * Experts), embedder.Width);
        var among = TextVectors.Of(_ml, embedder, "rain", "a long walk by the river", "sun");
        Near(TextVectors.Of(_ml, embedder, "rain")[0], among[0], 1e-5f);
        Near(TextVectors.Of(_ml, embedder, "sun")[0], among[2], 1e-5f);
        Assert.True(Distance(among[0], among[2]) > 0.01f);
    }

    [Fact]
    public void RouterWeightsAreTheSoftmaxOfTheLogitsInEachLayer()
    {
        using var logits = Fit(new EmbedTextOptions { RouterWeights = true, RouterLogits = true });
        using var weights = Fit(new EmbedTextOptions { RouterWeights = true });
        var expected = TextVectors.Of(_ml, logits, "rain")[0];
        var actual = TextVectors.Of(_ml, weights, "rain")[0];
        Near(expected[..States], actual[..States], 1e-6f);
        for (var layer = 0; layer < 2; layer++)
        {
            var begin = States + (layer * Experts);
            var powers = expected[begin..(begin + Experts)].Select(MathF.Exp).ToArray();
            Near([.. powers.Select(p => p / powers.Sum())], actual[begin..(begin + Experts)], 1e-5f);
        }
    }

    [Fact]
    public void OnlyUnmaskedPaddingLetsTheNeighboursIn()
    {
        using var masked = Fit(new EmbedTextOptions { Router = Router.Unified(2) });
        using var unmasked = Fit(new EmbedTextOptions { Router = Router.Unified(2) with { MaskPadding = false } });
        string[] texts = ["rain", "a long walk by the river"];
        Assert.True(Distance(TextVectors.Of(_ml, masked, "rain")[0], TextVectors.Of(_ml, masked, texts)[0]) < 1e-5f);
        Assert.True(Distance(TextVectors.Of(_ml, unmasked, "rain")[0], TextVectors.Of(_ml, unmasked, texts)[0]) > 1e-4f);
    }

    [Fact]
    public void ALoadedModelGivesTheSame()
    {
        using var embedder = Fit(new EmbedTextOptions { RouterWeights = true, Router = Router.Unified(1.5), Standardize = true });
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        var zip = Path.Combine(_folder.Path, "model.zip");
        _ml.Model.Save(embedder, data.Schema, zip);
        using var loaded = (MoeTextEmbeddingTransformer)_ml.Model.Load(zip, out _);
        Assert.Equal(embedder.Router, loaded.Router);
        Assert.Equal(TextVectors.Of(_ml, embedder), TextVectors.Of(_ml, loaded));
    }

    private MoeTextEmbeddingTransformer Fit(EmbedTextOptions options) => _ml.Transforms.Text
        .EmbedText("Features", nameof(Row.Text), PublishedEncoder.FromFolder(_folder.Path), options with { Device = MoeDevice.Cpu })
        .Fit(_ml.Data.LoadFromEnumerable(Tables.Rows()));

    private static float Distance(float[] x, float[] y) => x.Zip(y, (a, b) => MathF.Abs(a - b)).Max();

    private static void Near(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(Distance(expected, actual), 0f, tolerance);
    }
}
