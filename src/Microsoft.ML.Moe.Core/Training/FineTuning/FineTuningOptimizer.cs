using System.Globalization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// AdamW over the last blocks of a published encoder and the head: a block learns the more slowly the further down it is (Howard and Ruder
/// 2018, "Universal language model fine-tuning", discriminative rates); everything else stays as it is.
/// </summary>
internal static class FineTuningOptimizer
{
    private const float Beta2 = 0.98f;
    private const string BlockPrefix = "layers.";
    private const string EmbeddingPrefix = "embedding.layers.";

    /// <summary>Makes the optimiser, and freezes what is not to learn.</summary>
    /// <param name="engine">Where the parameters live.</param>
    /// <param name="store">The model's parameters.</param>
    /// <param name="layers">Blocks of the encoder.</param>
    /// <param name="plan">Blocks that are trained, learning rates and weight decay.</param>
    /// <param name="freezeRouter">Whether routers stay as they are.</param>
    /// <param name="embeddingLayers">Layers before the blocks that count too; see <see cref="PublishedConfig.EmbeddingLayers"/>.</param>
    public static Optimizer Create(
        Engine engine, ParameterStore store, int layers, FineTuningPlan plan, bool freezeRouter, int embeddingLayers = 0)
    {
        var all = embeddingLayers + layers;

        return Create(engine, store.All, (parameter, role) => new ParameterRate(
            RateOf(parameter, role), role is ParameterRole.Weight or ParameterRole.Router ? plan.WeightDecay : 0f));

        float RateOf(Parameter parameter, ParameterRole role)
        {
            if (ClassifierHead.IsOfClasses(parameter.Name))
                return plan.HeadLearningRate;
            if (role is ParameterRole.ChoiceBias or ParameterRole.Statistic || (role == ParameterRole.Router && freezeRouter))
                return 0f;
            var layer = NumberAfter(BlockPrefix, parameter.Name) + embeddingLayers ?? NumberAfter(EmbeddingPrefix, parameter.Name);
            return layer >= all - plan.Layers ? plan.LearningRate * MathF.Pow(plan.LayerDecay, all - 1 - layer.Value) : 0f;
        }
    }

    /// <summary>Makes an optimiser of parameters that learn at rates of their own, and freezes those whose rate is 0.</summary>
    /// <param name="engine">Where the parameters live.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="rateOf">How each learns.</param>
    /// <param name="beta1">Decay of the first moment.</param>
    /// <param name="beta2">Decay of the second moment.</param>
    /// <param name="epsilon">Added to the root of the second moment.</param>
    /// <param name="skipsWithoutGradient">See <see cref="ParameterGroup.SkipsWithoutGradient"/>.</param>
    public static Optimizer Create(
        Engine engine,
        IEnumerable<(Parameter Parameter, ParameterRole Role)> parameters,
        Func<Parameter, ParameterRole, ParameterRate> rateOf,
        float beta1 = 0.9f,
        float beta2 = Beta2,
        float epsilon = 1e-8f,
        bool skipsWithoutGradient = false)
    {
        var groups = new List<ParameterGroup>();
        foreach (var alike in parameters.GroupBy(p => rateOf(p.Parameter, p.Role), p => p.Parameter))
        {
            foreach (var parameter in alike)
                parameter.IsFrozen = alike.Key.LearningRate == 0f;
            if (alike.Key.LearningRate > 0f)
            {
                groups.Add(new ParameterGroup([.. alike], alike.Key.LearningRate, alike.Key.WeightDecay, beta1, beta2, epsilon)
                {
                    SkipsWithoutGradient = skipsWithoutGradient,
                });
            }
        }

        return engine.CreateAdamW(groups);
    }

    /// <summary>Lets all parameters learn again that training may change.</summary>
    public static void Unfreeze(ParameterStore store)
    {
        foreach (var (parameter, _) in store.Trained)
            parameter.IsFrozen = false;
    }

    /// <summary>The number behind a prefix in a parameter's name; null for none.</summary>
    private static int? NumberAfter(string prefix, string name)
    {
        if (!name.StartsWith(prefix, StringComparison.Ordinal))
            return null;
        var end = name.IndexOf('.', prefix.Length);
        return end > 0 && int.TryParse(name.AsSpan(prefix.Length..end), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
    }
}

/// <summary>How a parameter learns.</summary>
/// <param name="LearningRate">Peak learning rate; 0 for a parameter that stays as it is.</param>
/// <param name="WeightDecay">Decoupled weight decay.</param>
internal readonly record struct ParameterRate(float LearningRate, float WeightDecay);
