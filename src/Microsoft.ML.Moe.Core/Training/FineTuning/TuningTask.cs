using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>What a training with a published encoder works on.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal abstract class TuningTask<TRow>
{
    /// <summary>All rows, those for validation last, as the fine-tuned encoder reads them.</summary>
    public required Example<TRow>[] All { get; init; }

    /// <summary>Weight of each row in the loss, that of its class counted in.</summary>
    public required float[] Weights { get; init; }

    /// <summary>Numbers of the training rows.</summary>
    public required int[] Training { get; init; }

    /// <summary>Numbers of the validation rows.</summary>
    public required int[] Validation { get; init; }

    /// <summary>How the encoder is fine-tuned; null for not at all.</summary>
    public required FineTuningPlan? Plan { get; init; }

    /// <summary>Width of token vectors, D.</summary>
    public required int Width { get; init; }

    /// <summary>Tokens of all rows.</summary>
    public abstract long Tokens { get; }

    /// <summary>Whether the fine-tuned encoder reads rows as the frozen one has, so that what that made of them is of use.</summary>
    public abstract bool ReadsAsBefore { get; }

    /// <summary>How rows are changed while all that makes something of them is trained; null for not.</summary>
    public virtual AugmentationConfig? Augmentation => null;

    /// <summary>What packs rows that are changed so; null where they are not.</summary>
    public virtual Packer<TRow>? CreateAugmentingPacker() => null;

    /// <summary>A model of the encoder that scores classes by pooled states.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="layers">How many of the last layers are pooled.</param>
    public abstract Model<TRow> CreateModel(Engine engine, int layers);

    /// <summary>Weights of rows, that of the class counted in.</summary>
    /// <param name="all">The rows.</param>
    /// <param name="training">How many of them, the first ones, are learned from.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="weighting">The rule.</param>
    public static float[] WeightsOf(Example<TRow>[] all, int training, int classes, ClassWeighting weighting)
    {
        var ofClasses = ClassWeights.For(all.Take(training).Select(row => (int)row.Target), classes, weighting);
        return [.. all.Select(row => row.Weight * ofClasses[(int)row.Target])];
    }
}
