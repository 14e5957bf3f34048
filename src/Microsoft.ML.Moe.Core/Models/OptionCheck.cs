namespace Microsoft.ML.Moe.Models;

/// <summary>Checks of options, with messages that name the option and what it may be.</summary>
internal static class OptionCheck
{
    /// <summary>low ≤ value ≤ high.</summary>
    public static void Range<T>(T value, T low, T high, string option)
        where T : IComparable<T>
    {
        // written so that NaN fails
        if (!(value.CompareTo(low) >= 0 && value.CompareTo(high) <= 0))
            throw new ArgumentOutOfRangeException(option, value, $"{option} must lie between {low} and {high}.");
    }

    /// <summary>0 ≤ value &lt; 1.</summary>
    public static void Rate(float value, string option)
    {
        if (!(value >= 0f && value < 1f))
            throw new ArgumentOutOfRangeException(option, value, $"{option} must be at least 0 and below 1.");
    }

    /// <summary>0 &lt; value &lt; ∞.</summary>
    public static void Positive(float value, string option)
    {
        if (!(value > 0f && value < float.PositiveInfinity))
            throw new ArgumentOutOfRangeException(option, value, $"{option} must be over 0 and finite.");
    }

    /// <summary>The value is one of the enumeration's.</summary>
    public static void Defined<T>(T value, string option)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
            throw new ArgumentOutOfRangeException(option, value, $"{option} must be one of {string.Join(", ", Enum.GetNames<T>())}.");
    }

    /// <summary>The options that all classifiers have.</summary>
    public static void Classifier(IClassifierOptions options, int experts)
    {
        Rate(options.LabelSmoothing, nameof(options.LabelSmoothing));
        Defined(options.ClassWeighting, nameof(options.ClassWeighting));
        options.GlobalWorkspace?.Check(experts);
    }
}
