using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Training;

/// <summary>How the learning rate falls from its peak after the warm-up.</summary>
public enum LearningRateDecay
{
    /// <summary>Half a cosine wave, to zero.</summary>
    Cosine,

    /// <summary>A straight line, to zero.</summary>
    Linear,

    /// <summary>It does not fall.</summary>
    Constant,

    /// <summary>
    /// By the inverse square root of the number of steps (Vaswani et al. 2017, "Attention is all you need", section 5.3): to half the peak
    /// after four times the steps of the warm-up, wherever training ends.
    /// </summary>
    InverseSquareRoot,
}

/// <summary>How rows are weighted in the loss by the class they belong to.</summary>
public enum ClassWeighting
{
    /// <summary>All rows alike.</summary>
    None,

    /// <summary>By the inverse square root of the class's share of the rows.</summary>
    SquareRoot,

    /// <summary>By the inverse of the class's share of the rows, so that all classes weigh the same.</summary>
    Balanced,
}

/// <summary>
/// How a model is trained. Every value is checked when it is set; <see cref="Check"/> compares them with each other and the model.
/// </summary>
public sealed record TrainingConfig
{
    /// <summary>
    /// Largest number of passes over the training rows; null chooses by the number of rows and their length. At least 1. Default null.
    /// </summary>
    public int? MaxEpochs { get; init => field = OptionCheck.Range(value, 1, 100_000, nameof(MaxEpochs)); }

    /// <summary>Rows for each optimiser step. Within [1, 65536]. Default 64.</summary>
    public int BatchSize { get; init => field = OptionCheck.Range(value, 1, 65536, nameof(BatchSize)); } = 64;

    /// <summary>
    /// Number of parts that a batch is split into, each with its own forward and backward pass, to save memory. Within
    /// [1, <see cref="BatchSize"/>]. Default 1.
    /// </summary>
    public int AccumulationSteps { get; init => field = OptionCheck.Range(value, 1, 65536, nameof(AccumulationSteps)); } = 1;

    /// <summary>Peak learning rate of the dense weights, over 0. Default 1e-3.</summary>
    public float LearningRate { get; init => field = OptionCheck.Positive(value, nameof(LearningRate)); } = 1e-3f;

    /// <summary>Peak learning rate of embedding tables, over 0. Default 1e-2.</summary>
    public float EmbeddingLearningRate { get; init => field = OptionCheck.Positive(value, nameof(EmbeddingLearningRate)); } = 1e-2f;

    /// <summary>Decoupled weight decay of the dense weight matrices, within [0, 1000]. Default 0.05.</summary>
    public float WeightDecay { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(WeightDecay)); } = 0.05f;

    /// <summary>Share of all steps over which the learning rate rises to its peak, within [0, 1]. Default 0.1.</summary>
    public float WarmupShare { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(WarmupShare)); } = 0.1f;

    /// <summary>How the learning rate falls after the warm-up. Default <see cref="LearningRateDecay.Cosine"/>.</summary>
    public LearningRateDecay Decay { get; init => field = OptionCheck.Defined(value, nameof(Decay)); }

    /// <summary>Largest joint norm of the dense gradients; larger ones are scaled down. Over 0. Default 1.</summary>
    public float MaxGradientNorm { get; init => field = OptionCheck.Positive(value, nameof(MaxGradientNorm)); } = 1f;

    /// <summary>Share of the target's probability that is spread evenly over the classes, within [0, 1). Default 0.1.</summary>
    public float LabelSmoothing { get; init => field = OptionCheck.Rate(value, nameof(LabelSmoothing)); } = 0.1f;

    /// <summary>
    /// Share of all steps, at the end, over which dropout falls to 0 along half a cosine wave; before, it is the model's. Within [0, 1]; 0
    /// keeps it as it is. Default 0.
    /// </summary>
    public float DropoutDecayShare { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(DropoutDecayShare)); }

    /// <summary>
    /// d of an exponential moving average of the weights over the steps, e ← d·e + (1 − d)·w, which is what is evaluated and what the trained
    /// model has in their place (Polyak and Juditsky 1992); early in training d is less, so that the first weights are soon forgotten. Within
    /// [0, 1). null keeps the last step's weights. Default null.
    /// </summary>
    public float? WeightAverage { get; init => field = value is { } d ? OptionCheck.Rate(d, nameof(WeightAverage)) : null; }

    /// <summary>How rows are weighted by class. Default <see cref="ClassWeighting.None"/>.</summary>
    public ClassWeighting ClassWeighting { get; init => field = OptionCheck.Defined(value, nameof(ClassWeighting)); }

    /// <summary>
    /// GW-MoE fine-tuning (arXiv 2406.12375): tokens whose router is uncertain are sent to all experts while training. null trains with
    /// the router alone. Default null.
    /// </summary>
    public GlobalWorkspaceSettings? GlobalWorkspace { get; init; }

    /// <summary>Whether the routers stay as they are, as in the fine-tuning of the GW-MoE paper. Default false.</summary>
    public bool FreezeRouter { get; init; }

    /// <summary>
    /// Share of the training rows, drawn by class where there are classes, that is held out for validation when no validation set is
    /// given. Within [0, 0.5]; 0 trains on everything and keeps the last epoch. Default 0.
    /// </summary>
    public float ValidationShare { get; init => field = OptionCheck.Range(value, 0f, 0.5f, nameof(ValidationShare)); }

    /// <summary>
    /// Epochs without a better validation loss after which training stops; needs validation data. null never stops early; the best
    /// epoch is restored either way. At least 1. Default null.
    /// </summary>
    public int? EarlyStoppingPatience { get; init => field = OptionCheck.Range(value, 1, 100_000, nameof(EarlyStoppingPatience)); }

    /// <summary>
    /// Steps after which the validation rows are evaluated within an epoch too, so that the best weights can be those of a step amid it. At
    /// least 1. null evaluates them after each epoch alone. Default null.
    /// </summary>
    public int? EvaluationSteps { get; init => field = OptionCheck.Range(value, 1, int.MaxValue, nameof(EvaluationSteps)); }

    /// <summary>
    /// Seeds initial weights, shuffling and dropout; the same seed gives the same model on the same engine. Default 0.
    /// </summary>
    public int Seed { get; init; }

    /// <summary>
    /// Where training keeps its state, so that it can be taken up again after an interruption: written every minute or so and after
    /// each epoch, taken up by the next training with the same configuration and rows, which ends as if nothing had happened. As large as the
    /// model three times over while training goes on. Once it has ended the trained weights stay there, so that they are not lost before the
    /// model is saved: the same training then returns at once, and another one takes the file over. null keeps none. Default null.
    /// </summary>
    [JsonIgnore]
    public string? CheckpointFile
    {
        get;
        init => field = value is null || !string.IsNullOrWhiteSpace(value)
            ? value
            : throw new ArgumentException($"{nameof(CheckpointFile)} is empty; null keeps no checkpoint.", nameof(CheckpointFile));
    }

    /// <summary>
    /// Processes that train the model together: each reads the same rows, computes the gradient of its share of each batch, and ends with the same
    /// model. The batch is cut into <see cref="DataParallel.Shards"/>, not <see cref="AccumulationSteps"/>; the first rank alone writes
    /// <see cref="CheckpointFile"/>, which all of them read. null trains in this process alone. Default null.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DataParallel? DataParallel { get; init; }

    /// <summary>Checks that the values fit each other and a model.</summary>
    /// <param name="encoder">The model's architecture.</param>
    /// <returns>This configuration.</returns>
    /// <exception cref="ArgumentException">Two contradict each other; the message names them.</exception>
    public TrainingConfig Check(EncoderConfig encoder)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        OptionCheck.Range(AccumulationSteps, 1, BatchSize, nameof(AccumulationSteps));
        if (GlobalWorkspace is not null && encoder.Router.Kind == RouterKind.Soft)
            throw new ArgumentException($"{Router.SoftChoosesNothing} A {nameof(GlobalWorkspace)} has nothing to do.", nameof(encoder));
        GlobalWorkspace?.Check(encoder.Experts, encoder.MoeLayers == 0 ? null : encoder.MoeBlocks);
        return this;
    }
}
