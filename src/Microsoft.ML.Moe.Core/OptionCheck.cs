using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe;

/// <summary>Checks of options and configurations, with messages that name the option and what it may be.</summary>
internal static class OptionCheck
{
    /// <summary>low ≤ value ≤ high.</summary>
    public static T Range<T>(T value, T low, T high, string option)
        where T : IComparable<T> =>
        // written so that NaN fails
        value.CompareTo(low) >= 0 && value.CompareTo(high) <= 0
            ? value
            : throw new ArgumentOutOfRangeException(option, value, $"{option} must lie between {low} and {high}.");

    /// <summary>low ≤ value ≤ high, where there is a value.</summary>
    public static T? Range<T>(T? value, T low, T high, string option)
        where T : struct, IComparable<T> => value is { } given ? Range(given, low, high, option) : null;

    /// <summary>0 ≤ value &lt; 1.</summary>
    public static float Rate(float value, string option) => value >= 0f && value < 1f
        ? value
        : throw new ArgumentOutOfRangeException(option, value, $"{option} must be at least 0 and below 1.");

    /// <summary>0 &lt; value &lt; ∞.</summary>
    public static float Positive(float value, string option) => value > 0f && value < float.PositiveInfinity
        ? value
        : throw new ArgumentOutOfRangeException(option, value, $"{option} must be over 0 and finite.");

    /// <summary>A type that files hold weights in.</summary>
    public static ElementType Saved(ElementType value, string option) => value is ElementType.Float32 or ElementType.BFloat16
        ? value
        : throw new ArgumentOutOfRangeException(
            option, value, $"{option} must be {ElementType.Float32} or {ElementType.BFloat16}: files hold weights in no other type.");

    /// <summary>The value is one of the enumeration's.</summary>
    public static T Defined<T>(T value, string option)
        where T : struct, Enum => Enum.IsDefined(value)
        ? value
        : throw new ArgumentOutOfRangeException(option, value, $"{option} must be one of {string.Join(", ", Enum.GetNames<T>())}.");
}
