namespace Microsoft.ML.Moe.Training;

/// <summary>How the learning rate falls from its peak to zero after the warm-up.</summary>
public enum LearningRateDecay
{
    /// <summary>Half a cosine wave.</summary>
    Cosine,

    /// <summary>A straight line.</summary>
    Linear,

    /// <summary>It does not fall.</summary>
    Constant,
}
