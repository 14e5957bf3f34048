using System.Globalization;

namespace Microsoft.ML.Moe.Training;

/// <summary>An option that can make a training diverge.</summary>
/// <param name="Name">Name of the option.</param>
/// <param name="Value">What it is; null where it is left to another one.</param>
/// <param name="Usual">What it is as a rule.</param>
internal readonly record struct OptionSize(string Name, double? Value, double Usual);

/// <summary>What to do about a training that diverged.</summary>
internal static class DivergenceAdvice
{
    /// <summary>From how many times its usual value on an option is large.</summary>
    private const double Large = 20;

    /// <summary>Names the option that is largest by what it is as a rule; or, where none is large, those that help.</summary>
    /// <param name="options">The options.</param>
    public static string Of(IReadOnlyList<OptionSize> options)
    {
        var largest = options.Where(o => o.Value is not null).OrderByDescending(o => o.Value / o.Usual).FirstOrDefault();
        return largest.Value > Large * largest.Usual
            ? string.Create(CultureInfo.InvariantCulture, $"{largest.Name} = {largest.Value:G4} is large, usual is about {largest.Usual:G4}: lower it.")
            : $"Lower {nameof(TrainingConfig.LearningRate)} or {nameof(TrainingConfig.MaxGradientNorm)}, or raise {nameof(TrainingConfig.WarmupShare)}.";
    }
}
