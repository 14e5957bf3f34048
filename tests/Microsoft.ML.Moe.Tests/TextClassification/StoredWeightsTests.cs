using System.Text.Json.Nodes;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.TextEmbeddings;
using Tuning = Microsoft.ML.Moe.Training.FineTuning;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>What the files of a classifier hold: matrices of half the size, and the encoder for other programs.</summary>
public sealed class StoredWeightsTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TinyEmbedder _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rounded_matrices_take_less_room_and_change_probabilities_little(bool hasEncoder)
    {
        Action<MoeTextClassificationTrainer.Options> own = hasEncoder ? WithEncoder : options => options.Router = Router.TokenChoice(2);
        using var exact = Models.Fit(_ml, own);
        using var rounded = Models.Fit(_ml, options =>
        {
            own(options);
            options.StoredWeights = ElementType.BFloat16;
        });
        Assert.InRange(WeightsOf(rounded).Length, WeightsOf(exact).Length / 3, WeightsOf(exact).Length * 9 / 10);
        var expected = Models.Score(_ml, exact, Tables.Rows(30, seed: 2));
        var loaded = Reload(rounded, out var zip);
        var actual = Models.Score(_ml, loaded, Tables.Rows(30, seed: 2));
        Assert.All(expected.Zip(actual), pair => Assert.All(
            pair.First.Score.Zip(pair.Second.Score), score => Assert.InRange(score.Second - score.First, -0.01f, 0.01f)));

        // saved once more it is what it was, and nothing is rounded twice
        Assert.Equal(Weights(zip), WeightsOf(loaded));
        (loaded as IDisposable)?.Dispose();
    }

    [Fact]
    public void A_type_that_is_none_is_refused() => Assert.Contains(
        "StoredWeights",
        Assert.Throws<ArgumentOutOfRangeException>(() => Models.Options(o => o.StoredWeights = (ElementType)7).Validate()).Message,
        StringComparison.Ordinal);

    [Theory]
    [InlineData(ElementType.Float32, "F32", "float32")]
    [InlineData(ElementType.BFloat16, "BF16", "bfloat16")]
    public void The_encoder_is_written_as_it_was_trained(ElementType type, string elements, string dtype)
    {
        using var model = Models.Fit(_ml, options =>
        {
            WithEncoder(options);
            options.FineTuning = Tuning.TopLayers(1) with { Epochs = 1, LearningRate = 0.01f };
        });
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "made");
        using var loaded = (TransformerChain<ITransformer>)Reload(model, out _);
        loaded.OfType<MoeTextClassificationTransformer>().Single().SaveHuggingFace(path, type);

        Assert.Equal(
            ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.GetFiles(path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Contains("license: mit", File.ReadAllText(Path.Combine(path, "README.md")), StringComparison.Ordinal);
        Assert.Equal(dtype, (string?)JsonNode.Parse(File.ReadAllText(Path.Combine(path, "config.json")))!["dtype"]);
        using var before = TensorFiles.Open(_tiny.Path);
        using var after = TensorFiles.Open(path);
        Assert.Equal(before.Tensors.Keys.Order(StringComparer.Ordinal), after.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(after.Tensors.Values, tensor => Assert.Equal(elements, tensor.Type.NameOf()));

        // the folder is an encoder again, and a classifier begins with it
        using var again = Models.Fit(_ml, options =>
        {
            WithEncoder(options);
            options.Encoder = PublishedEncoder.FromFolder(path);
        });
        Assert.NotEmpty(Models.Score(_ml, again, Tables.Rows(3)));
    }

    [Fact]
    public void Without_an_encoder_that_others_know_there_is_nothing_to_write()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "none");
        using var own = Models.Fit(_ml);
        Assert.Contains("no published encoder", Refusal(own), StringComparison.Ordinal);
        using var mixture = Models.Fit(_ml, options =>
        {
            WithEncoder(options);
            options.Upcycling = Upcycling.Copies(2);
        });
        Assert.Contains("mixture", Refusal(mixture), StringComparison.Ordinal);
        Assert.False(Directory.Exists(path));

        string Refusal(TransformerChain<MoeTextClassificationTransformer> model) =>
            Assert.Throws<InvalidOperationException>(() => model.LastTransformer.SaveHuggingFace(path)).Message;
    }

    [Fact]
    public void An_encoder_is_no_initial_model()
    {
        using var model = Models.Fit(_ml, WithEncoder);
        var refusal = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, options => options.InitialModel = PretrainedModel.From(model)));
        Assert.Contains("SaveHuggingFace", refusal.Message, StringComparison.Ordinal);
    }

    private void WithEncoder(MoeTextClassificationTrainer.Options options) =>
        (options.Encoder, options.FineTuning, options.MaximumTokens, options.Device) = (_tiny.Encoder, Tuning.None, null, MoeDevice.Cpu);

    private byte[] WeightsOf(ITransformer model)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, null, stream);
        return Weights(stream.ToArray());
    }

    private static byte[] Weights(byte[] zip) =>
        Zip.Read(zip).Single(file => file.Key.EndsWith("Weights.safetensors", StringComparison.Ordinal)).Value;

    private ITransformer Reload(ITransformer model, out byte[] zip)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, null, stream);
        (zip, stream.Position) = (stream.ToArray(), 0);
        return _ml.Model.Load(stream, out _);
    }
}
