using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>The optimiser of a model: learning rates and weight decay by what a parameter does.</summary>
internal static class ModelOptimizer
{
    private const float DenseBeta2 = 0.98f;
    private const float TableBeta2 = 0.999f;

    /// <summary>AdamW over a model's parameters.</summary>
    /// <param name="engine">Where they live.</param>
    /// <param name="store">The parameters.</param>
    /// <param name="options">Learning rates and decay.</param>
    /// <param name="embeddingRate">Learning rate of tables of token vectors.</param>
    /// <param name="wideRate">Learning rate of the wide branch.</param>
    /// <param name="freezeRouter">Whether routers stay as they are, until <see cref="Unfreeze"/>.</param>
    public static Optimizer Create(
        Engine engine,
        ParameterStore store,
        EncoderOptions options,
        float embeddingRate = 0f,
        float wideRate = 0f,
        bool freezeRouter = false)
    {
        foreach (var router in store.Of(ParameterRole.Router))
            router.IsFrozen = freezeRouter;
        return engine.CreateAdamW(
        [
            new ParameterGroup(store.Of(ParameterRole.Weight), options.LearningRate, options.WeightDecay, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Router), options.LearningRate, options.WeightDecay, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Bias), options.LearningRate, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Embedding), embeddingRate, Beta2: TableBeta2),
            new ParameterGroup(store.Of(ParameterRole.Wide), wideRate, Beta2: TableBeta2),
        ]);
    }

    /// <summary>Lets routers learn again.</summary>
    public static void Unfreeze(ParameterStore store)
    {
        foreach (var router in store.Of(ParameterRole.Router))
            router.IsFrozen = false;
    }
}
