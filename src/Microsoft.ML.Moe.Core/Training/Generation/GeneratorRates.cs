using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>How each parameter of a model that writes learns.</summary>
internal static class GeneratorRates
{
    private const string OfExperts = ".experts.";
    private const string OfRouter = ".router.";

    /// <summary>
    /// Learning rate and weight decay of a parameter; the rate is 0 of one that stays as it is, as those do that are frozen already.
    /// </summary>
    /// <param name="config">What was asked for.</param>
    /// <param name="parameter">The parameter.</param>
    /// <param name="role">What it does.</param>
    public static ParameterRate Of(GeneratorTrainingConfig config, Parameter parameter, ParameterRole role) => new(
        parameter.IsFrozen ? 0f : LearningRate(config, parameter.Name, role),
        role is ParameterRole.Weight or ParameterRole.Router or ParameterRole.Embedding or ParameterRole.Adapter ? config.Training.WeightDecay : 0f);

    private static float LearningRate(GeneratorTrainingConfig config, string name, ParameterRole role)
    {
        var all = config.Training.LearningRate;
        if (role == ParameterRole.ChoiceBias)
            return 0f;
        if (role == ParameterRole.Adapter)
            return all;
        if (role == ParameterRole.Router || name.Contains(OfRouter, StringComparison.Ordinal))
            return config.Training.FreezeRouter ? 0f : config.RouterLearningRate ?? all;
        if (role == ParameterRole.Embedding)
            return config.EmbeddingLearningRate ?? all;
        return name.Contains(OfExperts, StringComparison.Ordinal) ? config.ExpertLearningRate ?? all : all;
    }
}
