using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Training;

/// <summary>How a classifier with a published encoder is trained, of whatever rows.</summary>
internal record PublishedTrainingConfig
{
    /// <summary>How much of the encoder is trained.</summary>
    public FineTuning FineTuning { get; init; } = FineTuning.Auto;

    /// <summary>Keeps what the frozen encoder makes of rows for further trainings; null for none.</summary>
    public EncoderStateCache? KeptStates { get; init; }

    /// <summary>How images are changed while an encoder's convolutions are trained; null, the default, for not.</summary>
    public AugmentationConfig? Augmentation { get; init; }

    /// <summary>Of a mixture: coefficient of the load-balancing loss.</summary>
    public float LoadBalancingCoefficient { get; init; } = 0.01f;

    /// <summary>Of a mixture: coefficient of the router z-loss.</summary>
    public float RouterZLossCoefficient { get; init; }

    /// <summary>Seed, class weights, validation, smoothing, checkpoint, global workspace.</summary>
    public TrainingConfig Training { get; init; } = new();
}
