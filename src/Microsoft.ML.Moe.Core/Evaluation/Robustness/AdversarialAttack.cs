namespace Microsoft.ML.Moe;

/// <summary>By what the size of a change of an image is measured.</summary>
public enum AttackNorm
{
    /// <summary>The largest change of a value, L∞.</summary>
    LInfinity,

    /// <summary>The root of the sum of the squared changes, L2.</summary>
    L2,
}

/// <summary>
/// A change of images, as small as is said, that makes a model as wrong as it can: one step along the gradient of the loss by the pixels
/// (Goodfellow, Shlens and Szegedy 2015, "Explaining and harnessing adversarial examples"), or several, each brought back into the ball of
/// allowed changes (Madry et al. 2018, "Towards deep learning models resistant to adversarial attacks"). Sizes are of values within [0,
/// 1]: 8/255 are eight levels of a byte.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var attack = AdversarialAttack.ProjectedGradient(8.0 / 255, steps: 20) with { Restarts = 2 };
/// ]]></code>
/// </example>
public sealed record AdversarialAttack
{
    private AdversarialAttack(AttackNorm norm, double epsilon, int steps)
    {
        Norm = OptionCheck.Defined(norm, nameof(norm));
        Epsilon = OptionCheck.Range(epsilon, 0, 1e6, nameof(epsilon));
        Steps = OptionCheck.Range(steps, 1, 10_000, nameof(steps));
    }

    /// <summary>By what the size of a change is measured.</summary>
    public AttackNorm Norm { get; }

    /// <summary>Largest size of a change, ε, at least 0; of values within [0, 1].</summary>
    public double Epsilon { get; }

    /// <summary>Steps, at least 1.</summary>
    public int Steps { get; }

    /// <summary>Size of a step, over 0; null for ε of one step, and for 2.5·ε/steps of several. Default null.</summary>
    public double? StepSize
    {
        get;
        init => field = value is null or > 0 ? value : throw new ArgumentOutOfRangeException(
            nameof(StepSize), value, $"{nameof(StepSize)} must be over 0.");
    }

    /// <summary>
    /// How often it is tried, each time from another random place in the ball; a row that is told wrong once is told wrong. Within [1,
    /// 1000]. Default 1.
    /// </summary>
    public int Restarts { get; init => field = OptionCheck.Range(value, 1, 1000, nameof(Restarts)); } = 1;

    /// <summary>
    /// Whether each try begins at a random place of the ball, not at the image. Default true with several steps, else false.
    /// </summary>
    public bool StartsRandomly { get; init; }

    /// <summary>Seed of the random places. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>FGSM: one step of ε in the direction of the gradient's signs.</summary>
    /// <param name="epsilon">ε, at least 0, of values within [0, 1]. Default 8/255.</param>
    /// <exception cref="ArgumentOutOfRangeException">ε lies outside its range.</exception>
    public static AdversarialAttack FastGradientSign(double epsilon = 8.0 / 255) => new(AttackNorm.LInfinity, epsilon, 1);

    /// <summary>PGD: several steps from a random place of the ball, which each step stays in.</summary>
    /// <param name="epsilon">ε, at least 0, of values within [0, 1]. Default 8/255; 0.5 is usual with <see cref="AttackNorm.L2"/>.</param>
    /// <param name="norm">By what sizes are measured. Default <see cref="AttackNorm.LInfinity"/>.</param>
    /// <param name="steps">Number of steps, within [1, 10000]. Default 20.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value lies outside its range.</exception>
    public static AdversarialAttack ProjectedGradient(double epsilon = 8.0 / 255, AttackNorm norm = AttackNorm.LInfinity, int steps = 20) =>
        new(norm, epsilon, steps) { StartsRandomly = true };

    /// <summary><c>PGD-20, L∞ 0.0314</c>.</summary>
    public override string ToString()
    {
        var name = Steps == 1 && !StartsRandomly ? "FGSM" : FormattableString.Invariant($"PGD-{Steps}");
        var restarts = Restarts > 1 ? FormattableString.Invariant($", {Restarts} restarts") : "";
        return FormattableString.Invariant($"{name}, {(Norm == AttackNorm.L2 ? "L2" : "L∞")} {Epsilon:0.####}{restarts}");
    }

    /// <summary>Size of a step.</summary>
    internal double Step => StepSize ?? (Steps == 1 ? Epsilon : 2.5 * Epsilon / Steps);
}
