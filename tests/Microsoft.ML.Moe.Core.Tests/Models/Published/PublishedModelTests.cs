using System.Text;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>Models whose encoder is a published one.</summary>
public sealed class PublishedModelTests : IDisposable
{
    private static readonly string[] Texts = ["weather", "a", "", "thequickbrownfox", "jumps"];

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string> Configs { get; } = [TinyPublished.Bert, TinyPublished.NomicMixture];

    [Theory]
    [MemberData(nameof(Configs))]
    public void ASavedModelComesBack(string config)
    {
        foreach (HeadConfig head in (HeadConfig[])[new VectorHeadConfig(), new ClassesHeadConfig { Classes = 3 }])
        {
            var model = Load(config, head);
            var (saved, weights) = model.Save();

            using var engine = new ManagedEngine(1);
            using MemoryStream configStream = new(saved), weightStream = new(weights);
            var loaded = ModelFiles.LoadText(configStream, weightStream, engine, new LetterIds());

            Assert.Equal(model.Config, loaded.Config);
            Assert.Equal(model.Scores(Encode(model)), loaded.Scores(Encode(loaded)));
        }
    }

    [Fact]
    public void ASavedModelNeedsItsTokenizer()
    {
        var (config, weights) = Load(TinyPublished.Bert).Save();

        var error = Assert.Throws<InvalidDataException>(() => ModelFiles.LoadText(new MemoryStream(config), new MemoryStream(weights), _engine));

        Assert.Contains("tokenizer", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void APublishedEncoderGoesWithItsIdsAlone()
    {
        var (config, weights) = Load(TinyPublished.Bert).Save();
        var other = Encoding.UTF8.GetString(config).Replace("\"publishedText\"", "\"text\"", StringComparison.Ordinal)
            .Replace("\"vocabularySize\": 40,\n    \"paddingId\": 0,\n", "", StringComparison.Ordinal);
        Assert.NotEqual(Encoding.UTF8.GetString(config), other);

        Assert.Throws<InvalidDataException>(() =>
            ModelFiles.LoadText(new MemoryStream(Encoding.UTF8.GetBytes(other)), new MemoryStream(weights), _engine, new LetterIds()));
    }

    [Theory]
    [MemberData(nameof(Configs))]
    public void ARowDoesNotDependOnItsBatch(string config)
    {
        // of nomic-bert, some of them beyond the trained length: their rotary bases differ
        var model = Load(config);
        var rows = Encode(model);

        var together = model.Scores(rows).Chunk(model.Outputs).ToArray();

        for (var i = 0; i < rows.Length; i++)
            Assert.All(model.Scores([rows[i]]).Zip(together[i]), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RowsWithRotaryBasesOfTheirOwnHaveGradientsToo(bool isInterleaved)
    {
        var config = TinyPublished.NomicMixture.With(("rotary_emb_interleaved", isInterleaved), ("resid_pdrop", 0), ("attn_pdrop", 0));
        float[] Gradient(string[][] batches)
        {
            using var engine = new ManagedEngine(1);
            var model = Load(config, engine: engine);
            foreach (var batch in batches)
            {
                using var tape = engine.BeginTape(training: true);
                var pooled = model.Forward(tape, model.Input.CreatePacker(model.Packing()).Pack([.. batch.Select(t => model.Input.Encode(t))]));
                tape.Backward(tape.SquaredError(pooled, new float[pooled.Length], []), batch.Length);
            }

            var queries = model.Parameters.All.Single(p => p.Parameter.Name == "layers.0.attention.queries.weight").Parameter.Value;
            var gradient = new float[queries.Length];
            queries.CopyGradientTo(gradient);
            return gradient;
        }

        var together = Gradient([["abcd", "abcdefghij", "zyxwvutsrqponm"]]);

        var largest = together.Max(Math.Abs);
        Assert.True(largest > 1e-6f);
        Assert.All(
            together.Zip(Gradient([["abcd"], ["abcdefghij"], ["zyxwvutsrqponm"]])),
            pair => Assert.Equal(pair.First, pair.Second, 1e-3f * largest));
    }

    [Fact]
    public void TheLastBlocksRunFromGivenStates()
    {
        var folder = TinyPublished.Write(_folder.Path, TinyPublished.Bert);
        var (embedding, encoder) = folder.Load(
            _engine, 0, store => (folder.Encoder.CreateTokenEmbedding(store), folder.Encoder.CreateEncoder(store)));
        using var tape = _engine.BeginTape(training: false);
        var batch = new TokenIdBatch().Reset(new SequenceLayout([0, 3, 7]), new[] { 2, 5, 3, 2, 6, 7, 3 }, default);
        var context = new ForwardContext(tape, batch.Layout);

        var all = encoder.Forward(context, embedding.Forward(context, batch));
        var first = encoder.Forward(context, all.After(0), last: 2);
        var kept = tape.Constant(first.Last.ToArray(), first.Last.Shape);
        var rest = encoder.Forward(context, kept, first: 2);

        Assert.Equal((2, 3, 3), (first.LastLayer, rest.LastLayer, all.LastLayer));
        Assert.Equal(all.After(2).ToArray(), first.Last.ToArray());
        Assert.Equal(all.Last.ToArray(), rest.Last.ToArray());
        Assert.Equal(all.After(3).ToArray(), rest.After(3).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => rest.After(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => encoder.Forward(context, kept, first: 3, last: 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => encoder.Forward(context, kept, last: 4));
    }

    [Fact]
    public void APublishedMixtureTakesAnyRouter()
    {
        var model = Load(TinyPublished.NomicMixture);
        var rows = Encode(model);

        Assert.Equal((4, 2.0), (model.Experts, model.Router.ExpertsPerToken));
        Assert.Equal([1, 3], model.Config.Encoder.MoeBlocks);
        Assert.Equal(model.Scores(rows), model.WithRouting(model.Router).Scores(rows));
        Assert.NotEqual(model.Scores(rows), model.WithRouting(Router.Unified(1.5)).Scores(rows));
        Assert.NotEqual(model.Scores(rows), model.WithRouting(Router.TokenChoice(4)).Scores(rows));
    }

    [Theory]
    [MemberData(nameof(Configs))]
    public void MatricesCanBeInHalfPrecisionWhenScoring(string config)
    {
        var model = Load(config);
        var rows = Encode(model);

        var exact = model.Scores(rows);
        var rounded = model.WithPrecision(InferencePrecision.BFloat16).Scores(rows);

        Assert.NotEqual(exact, rounded);
        Assert.All(exact.Zip(rounded), pair => Assert.Equal(pair.First, pair.Second, 0.1f));
    }

    [Fact]
    public void AGateCostsAThirdProduct()
    {
        var model = Load(TinyPublished.GatedNomic);

        // of one token, in each of two blocks: queries, keys, values and output; three products of the network; scores and weighted sum
        Assert.Equal(2.0 * 2 * (4 * 16 * 16 + 3 * 16 * 256 + 2 * 16), model.Flops([new EncodedText(new TokenIds([2]), 0, false)], 0));
    }

    [Fact]
    public void BlocksOfAMixtureAreChosenOneByOne()
    {
        var config = (PublishedConfig)(PublishedFolder.Open(TinyPublished.Write(_folder.Path, TinyPublished.Bert).Path).Encoder with
        {
            MoeAt = new BlockNumbers([2, 0]),
            Experts = 2,
            ExpertWidth = 24,
        }).Check();

        Assert.Equal([0, 2], config.MoeBlocks);
        Assert.Equal(2, config.MoeLayers);
        Assert.Equal([true, false, true], Enumerable.Range(0, 3).Select(config.HasExperts));
        Assert.Equal(config, config with { MoeAt = new BlockNumbers([0, 2]) });
        Assert.NotEqual(config, config with { MoeAt = new BlockNumbers([1]) });
        Assert.Throws<ArgumentOutOfRangeException>(() => (config with { MoeAt = new BlockNumbers([3]) }).Check());
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockNumbers([-1]));

        using var stream = new MemoryStream();
        var whole = new ModelConfig { Input = PublishedTextInputConfig.Of(config), Encoder = config, Head = new VectorHeadConfig() };
        whole.Write(stream);
        stream.Position = 0;
        Assert.Equal(whole, ModelConfig.Read(stream));
    }

    private Model<EncodedText> Load(string config, HeadConfig? head = null, Engine? engine = null)
    {
        var folder = TinyPublished.Write(_folder.Path, config);
        return folder.Load(
            engine ?? _engine,
            new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds()),
            head ?? new VectorHeadConfig(),
            seed: 3);
    }

    private static EncodedText[] Encode(Model<EncodedText> model) => [.. Texts.Select(text => model.Input.Encode(text))];
}
