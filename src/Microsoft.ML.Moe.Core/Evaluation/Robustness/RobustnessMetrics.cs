using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>What <c>EvaluateRobustness</c> measures.</summary>
public sealed class RobustnessOptions
{
    /// <summary>
    /// Attacks, each on the images that the model tells right. Default FGSM and PGD with 20 steps and ε = 8/255 of L∞, and PGD with ε =
    /// 0.5 of L2.
    /// </summary>
    public IReadOnlyList<AdversarialAttack> Attacks { get; set; } =
    [
        AdversarialAttack.FastGradientSign(),
        AdversarialAttack.ProjectedGradient(),
        AdversarialAttack.ProjectedGradient(0.5, AttackNorm.L2),
    ];

    /// <summary>Corruptions. Default all fifteen.</summary>
    public IReadOnlyList<ImageCorruptionKind> Corruptions { get; set; } = ImageCorruption.Kinds;

    /// <summary>Severities of each, within [1, 5]. Default all five.</summary>
    public IReadOnlyList<int> Severities { get; set; } = [1, 2, 3, 4, 5];

    /// <summary>Seed of the corruptions. Default 0.</summary>
    public int Seed { get; set; }

    /// <summary>Is called whenever one of the measurements is done: how many are, and of how many. Default null.</summary>
    public Action<int, int>? Completed { get; set; }

    /// <summary>Throws where a list is missing or a value impossible.</summary>
    internal void Check()
    {
        ArgumentNullException.ThrowIfNull(Attacks);
        ArgumentNullException.ThrowIfNull(Corruptions);
        ArgumentNullException.ThrowIfNull(Severities);
        foreach (var attack in Attacks)
            ArgumentNullException.ThrowIfNull(attack, nameof(Attacks));
        foreach (var kind in Corruptions)
            OptionCheck.Defined(kind, nameof(Corruptions));
        foreach (var severity in Severities)
            OptionCheck.Range(severity, ImageCorruption.LeastSeverity, ImageCorruption.MostSeverity, nameof(Severities));
    }
}

/// <summary>Share of images that are told wrong once they are corrupted.</summary>
/// <param name="Kind">The corruption.</param>
/// <param name="Severity">How much of it.</param>
/// <param name="Error">The share, within [0, 1].</param>
public sealed record CorruptionError(ImageCorruptionKind Kind, int Severity, double Error);

/// <summary>Share of images that are told right in spite of an attack.</summary>
/// <param name="Attack">The attack.</param>
/// <param name="Accuracy">The share of all images, within [0, 1].</param>
public sealed record AttackResult(AdversarialAttack Attack, double Accuracy);

/// <summary>What a classifier makes of clean, corrupted and attacked images.</summary>
/// <param name="Rows">Number of images.</param>
/// <param name="Accuracy">Share of clean images that are told right.</param>
/// <param name="Corruptions">Errors of corrupted ones.</param>
/// <param name="Attacks">Accuracies of attacked ones.</param>
public sealed record RobustnessMetrics(
    int Rows, double Accuracy, IReadOnlyList<CorruptionError> Corruptions, IReadOnlyList<AttackResult> Attacks)
{
    /// <summary>
    /// Mean error over corruptions and severities, not weighted by another model's (Hendrycks and Dietterich 2019, section 4.1,
    /// "unnormalised"); NaN without corruptions.
    /// </summary>
    public double MeanCorruptionError => Corruptions.Count == 0 ? double.NaN : Corruptions.Average(c => c.Error);

    /// <summary>
    /// mCE: for each corruption the sum of errors over the severities by that of another model on the same images, and the mean of these;
    /// 1 where both err alike. ImageNet-C takes AlexNet's errors.
    /// </summary>
    /// <param name="other">What was measured of the other model, of the same corruptions and severities.</param>
    /// <exception cref="ArgumentException">It is of other corruptions, or the other model makes no error of one.</exception>
    public double MeanCorruptionErrorRelativeTo(RobustnessMetrics other)
    {
        ArgumentNullException.ThrowIfNull(other);
        var (own, others) = (Sums(this), Sums(other));
        if (own.Count == 0 || !Corruptions.Select(c => (c.Kind, c.Severity)).ToHashSet().SetEquals(other.Corruptions.Select(c => (c.Kind, c.Severity))))
            throw new ArgumentException("Both must have been measured on the same corruptions and severities, at least one.", nameof(other));
        if (others.Any(sum => sum.Value == 0))
            throw new ArgumentException("The other model makes no error of a corruption: there is nothing to compare with.", nameof(other));
        return own.Average(sum => sum.Value / others[sum.Key]);

        static Dictionary<ImageCorruptionKind, double> Sums(RobustnessMetrics metrics) =>
            metrics.Corruptions.GroupBy(c => c.Kind).ToDictionary(c => c.Key, c => c.Sum(one => one.Error));
    }

    /// <summary>Tables of plain text, for people.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Rows} images, accuracy {Accuracy:P2}");
        if (Corruptions.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $", mean corruption error {MeanCorruptionError:P2}");
        text.Append('\n');
        foreach (var kind in Corruptions.GroupBy(c => c.Kind))
        {
            text.Append(CultureInfo.InvariantCulture, $"{kind.Key,-17}");
            foreach (var one in kind)
                text.Append(CultureInfo.InvariantCulture, $" {one.Error,8:P2}");
            text.Append('\n');
        }

        foreach (var (attack, accuracy) in Attacks)
            text.Append(CultureInfo.InvariantCulture, $"{attack}: accuracy {accuracy:P2}\n");
        return text.ToString();
    }
}
