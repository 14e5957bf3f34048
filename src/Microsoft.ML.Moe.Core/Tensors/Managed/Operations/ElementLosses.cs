namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>(value − target)².</summary>
internal readonly struct SquaredError : IElementLoss
{
    public double Loss(float value, float target, int column) => ((double)value - target) * ((double)value - target);

    public float Slope(float value, float target, int column) => 2f * (value - target);
}

/// <summary>−t·ln σ(l) − (1 − t)·ln(1 − σ(l)) = max(l, 0) − l·t + ln(1 + e^−|l|), with the slope σ(l) − t.</summary>
internal readonly struct BinaryCrossEntropy : IElementLoss
{
    public double Loss(float value, float target, int column) => Of(value, target);

    public float Slope(float value, float target, int column) => 1f / (1f + MathF.Exp(-value)) - target;

    public static double Of(double logit, double target) =>
        Math.Max(logit, 0.0) - logit * target + Math.Log(1 + Math.Exp(-Math.Abs(logit)));
}

/// <summary>With d = value − target: d²/2 where |d| ≤ δ, with the slope d; else δ·(|d| − δ/2), with the slope ±δ.</summary>
internal readonly struct HuberError(float delta) : IElementLoss
{
    public double Loss(float value, float target, int column)
    {
        var distance = Math.Abs((double)value - target);
        return distance <= delta ? distance * distance / 2 : delta * (distance - delta / 2.0);
    }

    public float Slope(float value, float target, int column) => Math.Clamp(value - target, -delta, delta);
}

/// <summary>
/// With d = target − value: q·d where d is at least 0, with the slope −q, else (q − 1)·d, with the slope 1 − q; ½ − q between the two.
/// </summary>
internal readonly unsafe struct QuantileError(float* quantilesC) : IElementLoss
{
    public double Loss(float value, float target, int column)
    {
        var distance = (double)target - value;
        return distance >= 0 ? quantilesC[column] * distance : (quantilesC[column] - 1.0) * distance;
    }

    public float Slope(float value, float target, int column) => value == target
        ? 0.5f - quantilesC[column]
        : value < target ? -quantilesC[column] : 1f - quantilesC[column];
}

/// <summary>
/// a·m^γ·CE with m = 1 − p the probability that the target lacks and CE the binary cross-entropy. The slope is
/// a·(m^γ·(σ − t) + γ·m^(γ−1)·m'·CE) with m' = (1 − 2t)·σ·(1 − σ).
/// </summary>
internal readonly struct BinaryFocal(float gamma, float? alpha) : IElementLoss
{
    public double Loss(float value, float target, int column) =>
        Balance(target) * Math.Pow(Missing(value, target), gamma) * BinaryCrossEntropy.Of(value, target);

    public float Slope(float value, float target, int column)
    {
        var missing = Missing(value, target);
        if (missing == 0)
            return 0f;
        var (yes, no) = (Sigmoid(value), Sigmoid(-value));
        var power = Math.Pow(missing, gamma);
        var slope = power * (yes - target)
            + gamma * power / missing * (1 - 2.0 * target) * yes * no * BinaryCrossEntropy.Of(value, target);
        return (float)(Balance(target) * slope);
    }

    private double Balance(float target) => alpha is { } share ? share * target + (1.0 - share) * (1.0 - target) : 1.0;

    /// <summary>1 − p, exact also where it is near 0.</summary>
    private static double Missing(float logit, float target) => target * Sigmoid(-logit) + (1.0 - target) * Sigmoid(logit);

    private static double Sigmoid(double logit) => 1 / (1 + Math.Exp(-logit));
}
