using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Configurations with a change inside.</summary>
internal static class ConfigExtensions
{
    /// <summary>A learning rate that changes next to nothing.</summary>
    private const float Still = 1e-12f;

    public static TextClassifierConfig WithInput(this TextClassifierConfig config, Func<TextInputConfig, TextInputConfig> change) =>
        config with { Input = change(config.Input) };

    public static TextClassifierConfig WithEncoder(this TextClassifierConfig config, Func<EncoderConfig, EncoderConfig> change) =>
        config with { Encoder = change(config.Encoder) };

    public static TextClassifierConfig WithTraining(this TextClassifierConfig config, Func<TrainingConfig, TrainingConfig> change) =>
        config with { Training = change(config.Training) };

    public static ImageClassifierConfig WithEncoder(this ImageClassifierConfig config, Func<EncoderConfig, EncoderConfig> change) =>
        config with { Encoder = change(config.Encoder) };

    public static ImageClassifierConfig WithTraining(this ImageClassifierConfig config, Func<TrainingConfig, TrainingConfig> change) =>
        config with { Training = change(config.Training) };

    /// <summary>The same training, which next to nothing comes of.</summary>
    public static TrainingConfig LearningNothing(this TrainingConfig config) =>
        config with { LearningRate = Still, EmbeddingLearningRate = Still };
}
