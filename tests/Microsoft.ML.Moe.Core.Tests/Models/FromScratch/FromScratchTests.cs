using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

public sealed class FromScratchTests
{
    private static readonly LanguageModelConfig Small =
        new() { Width = 16, Layers = 2, Heads = 2, Experts = 4, ExpertWidth = 24, MaximumTokens = 32 };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ACausalModelIsReadBack(bool ties)
    {
        using var engine = new ManagedEngine(1);
        using var folder = new TemporaryFolder();
        var (generator, model) = (Small with { TiesTables = ties, KeyValueHeads = 1 }).CreateGenerator(engine, ByteTokenizer.Create(), seed: 1);

        GeneratorFolderWriter.Write(generator, model, folder.Path);

        var (again, same) = TextGenerator.Load(engine, folder.Path, WeightPrecision.Float32, "small");
        int[] ids = [1, .. again.EncodeWhole("A heron – höre!")];
        Assert.Equal(TextScoring.LogProbabilities(model, ids), TextScoring.LogProbabilities(same, ids));
        Assert.Equal([1], again.Defaults.EndTokens);
        Assert.Equal(1, again.StartToken);
        Assert.Equal(model.Router, same.Router);
        Assert.Equal("A heron – höre!", again.TextOf(ids));
    }

    [Fact]
    public void AnEncoderDecoderIsReadBack()
    {
        using var engine = new ManagedEngine(1);
        using var folder = new TemporaryFolder();
        var config = new TextToTextModelConfig { Width = 16, Layers = 2, Heads = 2, Experts = 4, ExpertWidth = 24 };
        var (generator, model) = config.CreateGenerator(engine, ByteTokenizer.Create(sentinels: 4, appendsEnd: true), seed: 1);

        GeneratorFolderWriter.Write(generator, model, folder.Path);

        var (again, same) = TextGenerator.Load(engine, folder.Path, WeightPrecision.Float32, "small");
        Assert.True(again.IsEncoderDecoder);
        Assert.Equal(262, ((PublishedConfig)same.Config.Encoder).VocabularySize);
        Assert.Equal([1, 3], same.Config.MoeBlocks);
        var rows = new[] { new SpanDenoising([258, 259, 260, 261], end: 1).Apply([.. Enumerable.Range(20, 30)], new Random(1)) }
            .Select(row => new Example<EncodedText>(row, 0f)).ToArray();
        Assert.Equal(model.Measure(rows).Loss, same.Measure(rows).Loss);
        using var files = TensorFiles.Open(folder.Path);
        Assert.Contains("shared.weight", files.Tensors.Keys);
        Assert.DoesNotContain("lm_head.weight", files.Tensors.Keys);
    }

    [Fact]
    public void OneSeedIsOneModel()
    {
        using var engine = new ManagedEngine(1);
        using var others = new ManagedEngine(2);
        var tokenizer = ByteTokenizer.Create();

        Assert.Equal(ValuesOf(Small.Create(engine, tokenizer, seed: 4)), ValuesOf(Small.Create(others, tokenizer, seed: 4)));
        Assert.NotEqual(ValuesOf(Small.Create(engine, tokenizer, seed: 4)), ValuesOf(Small.Create(engine, tokenizer, seed: 5)));
    }

    [Fact]
    public void AFreshCausalModelTellsAllTokensAlike()
    {
        using var engine = new ManagedEngine(1);
        var model = (Small with { Width = 64, Layers = 8, Heads = 4 }).Create(engine, ByteTokenizer.Create(), seed: 1);

        var loss = -TextScoring.LogProbabilities(model, [1, .. Enumerable.Range(40, 30)]).Average();

        Assert.InRange(loss, Math.Log(258) - 0.1, Math.Log(258) + 0.1);
    }

    [Fact]
    public void AFreshEncoderDecoderAttendsWidely()
    {
        using var engine = new ManagedEngine(1);
        var config = new TextToTextModelConfig { Width = 64, Layers = 2, Heads = 2, Experts = 4, ExpertWidth = 64 };
        var model = config.Create(engine, ByteTokenizer.Create(4, appendsEnd: true), seed: 1);

        // N(0, 1/(D·head width)), 1, 1/D and 0.1/D
        Assert.Equal(1 / Math.Sqrt(64 * 32), DeviationOf(model, "layers.0.attention.queries.weight"), 0.002);
        Assert.Equal(1 / Math.Sqrt(64 * 32), DeviationOf(model, "decoder.1.crossAttention.queries.weight"), 0.002);
        Assert.Equal(1, DeviationOf(model, "embedding.words"), 0.03);
        Assert.Equal(0.125, DeviationOf(model, "relativePositions"), 0.03);
        Assert.Equal(Math.Sqrt(0.1 / 64), DeviationOf(model, "layers.1.moe.router.weight"), 0.01);
    }

    [Fact]
    public void ResidualProjectionsAreScaledByDepth()
    {
        using var engine = new ManagedEngine(1);
        var model = (Small with { Width = 64, Layers = 8, Heads = 4, ExpertWidth = 32 }).Create(engine, ByteTokenizer.Create(), seed: 1);

        Assert.Equal(1 / Math.Sqrt(64) / 4, DeviationOf(model, "layers.3.attention.output.weight"), 0.001);
        Assert.Equal(1 / Math.Sqrt(32) / 4, DeviationOf(model, "layers.3.moe.experts.w2"), 0.001);
        Assert.Equal(1 / Math.Sqrt(64), DeviationOf(model, "layers.3.moe.experts.w1"), 0.004);
        Assert.Equal(0.02, DeviationOf(model, "layers.3.moe.router.weight"), 0.003);
    }

    [Fact]
    public void TheDenseModelDoesTheSameWork()
    {
        using var engine = new ManagedEngine(1);
        var mixture = (Small with { Router = Router.Unified(1.5) }).Create(engine, ByteTokenizer.Create());
        var dense = (Small with { Router = Router.Unified(1.5) }).ToDense().Create(engine, ByteTokenizer.Create());

        Assert.Equal(1, dense.Experts);
        Assert.Equal(36, dense.Config.Encoder.ExpertWidth);
        Assert.Equal(RoutingScope.Prefix, mixture.Router.Scope);
    }

    [Fact]
    public void WhatContradictsIsRefused()
    {
        using var engine = new ManagedEngine(1);
        var tokenizer = ByteTokenizer.Create();

        Assert.Contains("Heads", Message(Small with { Heads = 3 }), StringComparison.Ordinal);
        Assert.Contains("258 ids", Message(Small with { VocabularySize = 100 }), StringComparison.Ordinal);
        Assert.Contains("ExpertsPerToken", Message(Small with { Router = Router.TokenChoice(5) }), StringComparison.Ordinal);
        Assert.Contains("num_key_value_heads", Message(Small with { KeyValueHeads = 4 }), StringComparison.Ordinal);

        string Message(LanguageModelConfig config) => Assert.ThrowsAny<ArgumentException>(() => config.Create(engine, tokenizer)).Message;
    }

    [Fact]
    public void APolicyInPlaceOfTheLayersOwnIsMeasured()
    {
        using var engine = new ManagedEngine(1);
        var model = Small.Create(engine, ByteTokenizer.Create(), seed: 1);
        Example<EncodedText>[] rows = [new(new EncodedText(new TokenIds([1, .. Enumerable.Range(40, 20)]), 0, isEmpty: false), 0f)];

        var withRandomExperts = model.WithPolicy(new RandomExperts(model.Router.CreatePolicy(), entropyThreshold: 0, seed: 1));

        Assert.NotEqual(model.Measure(rows).Loss, withRandomExperts.Measure(rows).Loss);
        Assert.Equal(model.Measure(rows).Loss, model.WithPolicy(model.Router.CreatePolicy()).Measure(rows).Loss);
    }

    [Fact]
    public void LearnsATextByHeart()
    {
        using var engine = new ManagedEngine(1);
        var tokenizer = ByteTokenizer.Create();
        var model = Small.Create(engine, tokenizer, seed: 1);
        int[] ids = [1, .. tokenizer.EncodeToIds("the old ferry left at dawn")];
        var rows = Enumerable.Repeat(new Example<EncodedText>(new EncodedText(new TokenIds(ids), 0, isEmpty: false), 0f), 8).ToArray();
        var config = new GeneratorTrainingConfig
        {
            Training = new TrainingConfig { MaxEpochs = 200, BatchSize = 8, LearningRate = 1e-2f, LabelSmoothing = 0f },
        };

        var trained = new GeneratorTrainer(config, model).Train(rows, validation: []);

        Assert.InRange(trained.Measure(rows).Loss, 0, 0.2);
    }

    [Fact]
    public void TheConfigurationWritesItsOwnModelsAlone()
    {
        using var engine = new ManagedEngine(1);
        using var folder = new TemporaryFolder();
        var tokenizer = ByteTokenizer.Create();
        var model = Small.Create(engine, tokenizer, seed: 1);

        Small.SaveHuggingFace(model.WithRouting(Router.Unified(1.5)), tokenizer, folder.Path);

        Assert.Equal(ValuesOf(model), ValuesOf(TextGenerator.Load(engine, folder.Path, WeightPrecision.Float32, "small").Model));
        Assert.Throws<ArgumentException>(() => (Small with { Width = 32 }).SaveHuggingFace(model, tokenizer, folder.Path));
        Assert.Throws<ArgumentException>(() => Small.SaveHuggingFace(model, ByteTokenizer.Create(sentinels: 3), folder.Path));
    }

    private static float[] ValuesOf(Model<EncodedText> model) => [.. model.Parameters.All.SelectMany(p => p.Parameter.Value.ToArray())];

    private static double DeviationOf(Model<EncodedText> model, string name)
    {
        var values = model.Parameters.All.Single(p => p.Parameter.Name == name).Parameter.Value.ToArray();
        return Math.Sqrt(values.Average(v => (double)v * v));
    }
}
