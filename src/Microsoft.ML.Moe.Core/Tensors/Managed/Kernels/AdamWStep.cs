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

/// <summary>
/// The bias corrections of all numbers of steps, for rows that count their own: a table that ends where both have come to 1 to the last
/// bit, as they stay. Decays so near 1 that this takes long are computed each time after the table's end.
/// </summary>
internal sealed class BiasCorrections
{
    /// <summary>More than twice the steps that a decay of 0.999 takes to come to 1.</summary>
    private const int MostSteps = 1 << 16;

    private static readonly BiasCorrection None = new(1f, 1f);
    private readonly List<BiasCorrection> _corrections = [];
    private readonly ParameterGroup _group;

    public BiasCorrections(ParameterGroup group)
    {
        _group = group;
        while (_corrections.Count < MostSteps && (_corrections.Count == 0 || _corrections[^1] != None))
            _corrections.Add(BiasCorrection.At(group, _corrections.Count + 1));
    }

    /// <summary>The correction of the step that follows so many.</summary>
    public BiasCorrection this[int steps]
    {
        get
        {
            if (steps < _corrections.Count)
                return _corrections[steps];
            return _corrections[^1] == None ? None : BiasCorrection.At(_group, steps + 1);
        }
    }
}
