namespace Microsoft.ML.Moe.Routing;

/// <summary>How many token–expert pairs a group may have.</summary>
internal static class Budget
{
    /// <summary>T·k, free of the last digit's rounding, so that 10 tokens × 0.3 are 3 and not 2.9999….</summary>
    public static double Of(int tokens, double expertsPerToken) => Math.Round(tokens * expertsPerToken, 9);

    /// <summary>Checks k.</summary>
    public static double Check(double expertsPerToken) => expertsPerToken is > 0 and <= 1024
        ? expertsPerToken
        : throw new ArgumentOutOfRangeException(nameof(expertsPerToken), expertsPerToken, "Experts per token lie over 0, up to 1024.");
}
