namespace Microsoft.ML.Moe.Fitting;

/// <summary>Checks of options that name columns.</summary>
internal static class ColumnNames
{
    /// <summary>The option names a column.</summary>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public static void Require(string? name, string option)
    {
        if (string.IsNullOrEmpty(name))
            throw new ArgumentException($"{option} is empty.", option);
    }

    /// <summary>Two options name different columns, where they name any.</summary>
    /// <exception cref="ArgumentException">They name the same.</exception>
    public static void RequireDifferent(string? name, string option, string? other, string otherOption)
    {
        if (name is not null && name == other)
            throw new ArgumentException($"{option} and {otherOption} are both '{name}'.", option);
    }
}
