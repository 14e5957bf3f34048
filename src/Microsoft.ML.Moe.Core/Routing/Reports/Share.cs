namespace Microsoft.ML.Moe.Routing;

/// <summary>Shares of counts.</summary>
internal static class Share
{
    /// <summary>part / whole, 0 of nothing.</summary>
    public static double Of(double part, double whole) => whole == 0 ? 0 : part / whole;
}
