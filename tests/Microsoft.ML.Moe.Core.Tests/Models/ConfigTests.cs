using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Each value is checked where it is set; what must fit together, where a configuration is used.</summary>
public class ConfigTests
{
    private const float NaN = float.NaN;

    public static TheoryData<string, Func<object>> Impossible { get; } = new()
    {
        { nameof(TextInputConfig.MaximumTokens), () => new TextInputConfig { MaximumTokens = 7 } },
        { nameof(TextInputConfig.MaximumTokens), () => new TextInputConfig { MaximumTokens = 4097 } },
        { nameof(TextInputConfig.HashBits), () => new TextInputConfig { HashBits = 7 } },
        { nameof(TextInputConfig.HashBits), () => new TextInputConfig() with { HashBits = 23 } },
        { nameof(TextInputConfig.TableRows), () => new TextInputConfig { TableRows = -1 } },
        { nameof(EncoderConfig.Width), () => new EncoderConfig { Width = 0 } },
        { nameof(EncoderConfig.Width), () => new EncoderConfig() with { Width = 4097 } },
        { nameof(EncoderConfig.Layers), () => new EncoderConfig { Layers = -1 } },
        { nameof(EncoderConfig.Heads), () => new EncoderConfig { Heads = 0 } },
        { nameof(EncoderConfig.MoeEvery), () => new EncoderConfig { MoeEvery = -1 } },
        { nameof(EncoderConfig.Experts), () => new EncoderConfig { Experts = 0 } },
        { nameof(EncoderConfig.ExpertWidth), () => new EncoderConfig() with { ExpertWidth = 0 } },
        { nameof(EncoderConfig.DenseWidth), () => new EncoderConfig { DenseWidth = 0 } },
        { nameof(EncoderConfig.LoadBalancingCoefficient), () => new EncoderConfig { LoadBalancingCoefficient = -1f } },
        { nameof(EncoderConfig.LoadBalancingCoefficient), () => new EncoderConfig() with { LoadBalancingCoefficient = NaN } },
        { nameof(EncoderConfig.RouterZLossCoefficient), () => new EncoderConfig { RouterZLossCoefficient = NaN } },
        { nameof(EncoderConfig.Dropout), () => new EncoderConfig { Dropout = 1f } },
        { nameof(EncoderConfig.Dropout), () => new EncoderConfig { Dropout = NaN } },
        { nameof(TextNoise.TokenMaskRate), () => new TextNoise { TokenMaskRate = -0.1f } },
        { nameof(TextNoise.WordDropRate), () => new TextNoise() with { WordDropRate = 1f } },
        { nameof(TrainingConfig.MaxEpochs), () => new TrainingConfig { MaxEpochs = 0 } },
        { nameof(TrainingConfig.BatchSize), () => new TrainingConfig { BatchSize = 0 } },
        { nameof(TrainingConfig.AccumulationSteps), () => new TrainingConfig { AccumulationSteps = 0 } },
        { nameof(TrainingConfig.LearningRate), () => new TrainingConfig { LearningRate = 0f } },
        { nameof(TrainingConfig.LearningRate), () => new TrainingConfig() with { LearningRate = NaN } },
        { nameof(TrainingConfig.EmbeddingLearningRate), () => new TrainingConfig { EmbeddingLearningRate = float.PositiveInfinity } },
        { nameof(TrainingConfig.WeightDecay), () => new TrainingConfig { WeightDecay = NaN } },
        { nameof(TrainingConfig.WarmupShare), () => new TrainingConfig { WarmupShare = 1.1f } },
        { nameof(TrainingConfig.MaxGradientNorm), () => new TrainingConfig { MaxGradientNorm = 0f } },
        { nameof(TrainingConfig.LabelSmoothing), () => new TrainingConfig { LabelSmoothing = 1f } },
        { nameof(TrainingConfig.ValidationShare), () => new TrainingConfig { ValidationShare = 0.6f } },
        { nameof(TrainingConfig.ValidationShare), () => new TrainingConfig { ValidationShare = NaN } },
        { nameof(TrainingConfig.EarlyStoppingPatience), () => new TrainingConfig { EarlyStoppingPatience = 0 } },
        { nameof(TrainingConfig.Decay), () => new TrainingConfig { Decay = (LearningRateDecay)9 } },
        { nameof(TrainingConfig.ClassWeighting), () => new TrainingConfig() with { ClassWeighting = (ClassWeighting)9 } },
        { nameof(ImageClassifierConfig.PatchSize), () => new ImageClassifierConfig { PatchSize = 65 } },
        { nameof(TrainingConfig.WeightAverage), () => new TrainingConfig { WeightAverage = 1f } },
        { nameof(ImageClassifierConfig.Stem), () => new ImageClassifierConfig { Stem = (ImageStem)2 } },
        { nameof(ImageClassifierConfig.PatchMargin), () => new ImageClassifierConfig { PatchMargin = NaN } },
        { nameof(ImageClassifierConfig.Convolutions), () => new ImageClassifierConfig() with { Convolutions = 9 } },
        { nameof(AugmentationConfig.MaxShift), () => new AugmentationConfig { MaxShift = 0.6f } },
        { nameof(AugmentationConfig.MaxZoom), () => new AugmentationConfig { MaxZoom = NaN } },
        { nameof(AugmentationConfig.MaxRotation), () => new AugmentationConfig() with { MaxRotation = 181f } },
        { nameof(AugmentationConfig.EraseRate), () => new AugmentationConfig { EraseRate = 1f } },
        { nameof(TextPretrainingConfig.WordDropRate), () => new TextPretrainingConfig { WordDropRate = NaN } },
        { nameof(TextPretrainingConfig.MaskedVocabularySize), () => new TextPretrainingConfig { MaskedVocabularySize = 1 } },
        { nameof(ClassesHeadConfig.Classes), () => new ClassesHeadConfig { Classes = 0 } },
        { nameof(LinearBranchConfig.HashedBits), () => new LinearBranchConfig { HashedBits = 25 } },
        { nameof(LinearBranchConfig.LinearWeight), () => new LinearBranchConfig { LinearWeight = NaN } },
    };

    public static TheoryData<string, EncoderConfig> Contradictions { get; } = new()
    {
        { nameof(EncoderConfig.Heads), new EncoderConfig { Heads = 3 } },
        { nameof(EncoderConfig.Router), new EncoderConfig { Router = Router.TokenChoice(5) } },
        { nameof(EncoderConfig.Router), new EncoderConfig { Experts = 1, Router = Router.Unified(1.01) } },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void AnImpossibleValueIsNamedWhereItIsSet(string option, Func<object> create)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(create);

        Assert.Equal(option, error.ParamName);
        Assert.Contains(option, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Contradictions))]
    public void AnEncoderThatContradictsItselfIsRefusedByTrainersToo(string option, EncoderConfig encoder)
    {
        using var engine = new ManagedEngine(1);
        Action[] uses =
        [
            () => encoder.Check(),
            () => _ = new TextClassifierTrainer(new() { Encoder = encoder }, 2, engine),
            () => _ = new ImageClassifierTrainer(new() { Encoder = encoder }, new ImageInput(6, 6, 1), 2, engine),
            () => _ = new TextEncoderPretrainer(new() { Encoder = encoder }, engine),
        ];

        Assert.All(uses, use =>
        {
            var error = Assert.ThrowsAny<ArgumentException>(use);
            Assert.Equal(option, error.ParamName);
            Assert.Contains(option, error.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void MorePartsThanRowsOfABatchAreRefusedByTrainersToo()
    {
        using var engine = new ManagedEngine(1);
        var training = new TrainingConfig { BatchSize = 64, AccumulationSteps = 65 };
        Action[] uses =
        [
            () => training.Check(new()),
            () => _ = new TextClassifierTrainer(new() { Training = training }, 2, engine),
            () => _ = new ImageClassifierTrainer(new() { Training = training }, new ImageInput(6, 6, 1), 2, engine),
            () => _ = new TextEncoderPretrainer(new() { Training = training }, engine),
        ];

        Assert.All(
            uses, use => Assert.Equal(nameof(TrainingConfig.AccumulationSteps), Assert.Throws<ArgumentOutOfRangeException>(use).ParamName));
    }

    [Fact]
    public void AnEmptyCheckpointFileIsRefused()
    {
        Assert.Equal(
            nameof(TrainingConfig.CheckpointFile), Assert.Throws<ArgumentException>(() => new TrainingConfig { CheckpointFile = " " }).ParamName);
        Assert.Null(new TrainingConfig { CheckpointFile = null }.CheckpointFile);
    }

    [Fact]
    public void NoRouterIsRefused() => Assert.Throws<ArgumentNullException>(() => new EncoderConfig { Router = null! });

    [Theory]
    [InlineData(2, 2, 128)]
    [InlineData(1, 1, 64)]
    [InlineData(3, 3, 192)]
    public void DenseBlocksCostWhatBlocksWithExpertsDo(int k, int experts, int expected)
    {
        var config = new EncoderConfig { Experts = experts, ExpertWidth = 64, Router = Router.TokenChoice(k) };

        Assert.Equal(expected, config.FeedForwardWidth);
        Assert.Equal(77, (config with { DenseWidth = 77 }).FeedForwardWidth);
    }

    [Fact]
    public void BlocksWithExpertsAreThoseOfEachTurn()
    {
        Assert.Equal([0, 1, 2, 3], new EncoderConfig { Layers = 4, MoeEvery = 1 }.MoeBlocks);
        Assert.Equal([1, 3], new EncoderConfig { Layers = 5, MoeEvery = 2 }.MoeBlocks);
        Assert.Empty(new EncoderConfig { Layers = 4, MoeEvery = 0 }.MoeBlocks);
        Assert.All([0, 1, 2, 3, 5], every => Assert.Equal(
            new EncoderConfig { Layers = 4, MoeEvery = every }.MoeBlocks.Count, new EncoderConfig { Layers = 4, MoeEvery = every }.MoeLayers));
    }

    [Fact]
    public void TheDefaultsAreFine()
    {
        Assert.Equal(new EncoderConfig(), new EncoderConfig().Check());
        Assert.Equal(new TrainingConfig(), new TrainingConfig().Check(new()));
        foreach (var encoder in new[] { new TextClassifierConfig().Encoder, new ImageClassifierConfig().Encoder, new TextPretrainingConfig().Encoder })
            encoder.Check();
    }
}
