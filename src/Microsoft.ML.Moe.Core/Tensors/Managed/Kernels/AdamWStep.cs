namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The numbers of one AdamW step: value = value·Keep − Rate·m/(√(v·InverseCorrection2) + Epsilon).</summary>
/// <param name="GradientFactor">What the stored gradient is multiplied by.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root.</param>
/// <param name="Keep">1 − rate·decay.</param>
/// <param name="Rate">Learning rate over the first moment's bias correction.</param>
/// <param name="InverseCorrection2">1 over the second moment's bias correction.</param>
internal readonly record struct AdamWStep(
    float GradientFactor, float Beta1, float Beta2, float Epsilon, float Keep, float Rate, float InverseCorrection2)
{
    /// <summary>A step with the bias corrections of its number.</summary>
    public static AdamWStep Create(ParameterGroup group, float gradientFactor, float learningRateFactor, BiasCorrection correction)
    {
        var rate = group.LearningRate * learningRateFactor;
        return new AdamWStep(
            gradientFactor,
            group.Beta1,
            group.Beta2,
            group.Epsilon,
            1f - rate * group.WeightDecay,
            rate * correction.Inverse1,
            correction.Inverse2);
    }
}
