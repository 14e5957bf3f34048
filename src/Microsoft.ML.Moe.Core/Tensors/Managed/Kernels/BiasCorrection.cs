namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What Adam's moments are multiplied by because they start at 0: 1/(1 − βᵗ).</summary>
/// <param name="Inverse1">For the first moment.</param>
/// <param name="Inverse2">For the second moment.</param>
internal readonly record struct BiasCorrection(float Inverse1, float Inverse2)
{
    /// <summary>The correction at step <paramref name="number"/>, counted from 1.</summary>
    public static BiasCorrection At(ParameterGroup group, int number) => new(
        (float)(1 / (1 - Math.Pow(group.Beta1, number))),
        (float)(1 / (1 - Math.Pow(group.Beta2, number))));
}
