namespace Microsoft.ML.Moe.Routing;

/// <summary>How uncertain a router is about a token.</summary>
public static class RouterEntropy
{
    /// <summary>
    /// H = −Σ p·ln(p + 1e-5) with p = softmax(logits): natural logarithm, not divided by ln N (GW-MoE, arXiv 2406.12375).
    /// </summary>
    /// <param name="logitsE">Router logits of one token, at least one.</param>
    /// <returns>Nats, within about [0, ln N].</returns>
    public static double Of(params ReadOnlySpan<float> logitsE)
    {
        Span<double> probabilitiesE = stackalloc double[Math.Min(logitsE.Length, 256)];
        if (logitsE.Length > probabilitiesE.Length)
            probabilitiesE = new double[logitsE.Length];
        RouterScores.Softmax(logitsE, probabilitiesE);
        var entropy = 0.0;
        foreach (var p in probabilitiesE)
            entropy -= p * Math.Log(p + 1e-5);
        return entropy;
    }
}
