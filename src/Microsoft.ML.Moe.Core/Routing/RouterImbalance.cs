namespace Microsoft.ML.Moe.Routing;

/// <summary>How unevenly a router spreads its weights over the experts.</summary>
internal static class RouterImbalance
{
    /// <summary>
    /// The importance loss without its coefficient: the squared coefficient of variation of the experts' importances, variance over
    /// squared mean, an importance being the sum of an expert's gates over tokens (Shazeer et al. 2017, "Outrageously large neural
    /// networks", section 4).
    /// </summary>
    /// <param name="importanceE">Sum of each expert's gates over tokens; at least one expert.</param>
    /// <returns>0 for an even spread, up to N − 1 when one expert has everything; 0 when all sums are 0.</returns>
    public static double Importance(params ReadOnlySpan<double> importanceE)
    {
        var mean = 0.0;
        foreach (var importance in importanceE)
            mean += importance / importanceE.Length;
        if (mean == 0)
            return 0;
        var variance = 0.0;
        foreach (var importance in importanceE)
            variance += (importance - mean) * (importance - mean) / importanceE.Length;
        return variance / (mean * mean);
    }
}
