using Microsoft.ML.Moe.Layers;
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
    /// <param name="training">Learning rates and decay, and whether routers stay as they are, until <see cref="Unfreeze"/>.</param>
    public static Optimizer Create(Engine engine, ParameterStore store, TrainingConfig training)
    {
        foreach (var router in store.Of(ParameterRole.Router))
            router.IsFrozen = training.FreezeRouter;
        return engine.CreateAdamW(
        [
            new ParameterGroup(store.Of(ParameterRole.Weight), training.LearningRate, training.WeightDecay, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Router), training.LearningRate, training.WeightDecay, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Bias), training.LearningRate, Beta2: DenseBeta2),
            new ParameterGroup(store.Of(ParameterRole.Embedding), training.EmbeddingLearningRate, Beta2: TableBeta2),
            new ParameterGroup(store.Of(ParameterRole.Wide), training.WideLearningRate, Beta2: TableBeta2),
        ]);
    }

    /// <summary>Lets routers learn again.</summary>
    public static void Unfreeze(ParameterStore store)
    {
        foreach (var router in store.Of(ParameterRole.Router))
            router.IsFrozen = false;
    }
}
