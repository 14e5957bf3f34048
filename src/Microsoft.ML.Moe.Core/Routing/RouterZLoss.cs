namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The z-loss of a router (Zoph et al. 2022, "ST-MoE", eq. 5), which keeps logits small: the mean over tokens of z², with
/// z = ln Σₑ e^logitₑ.
/// </summary>
internal static class RouterZLoss
{
    /// <summary>The loss from the sum over tokens of z².</summary>
    /// <param name="squares">The sum.</param>
    /// <param name="tokens">T.</param>
    /// <returns>0 when there is no token.</returns>
    public static double Value(double squares, long tokens) => squares / Math.Max(1, tokens);

    /// <summary>Adds the gradient of one token's logits, 2/T·z·p.</summary>
    /// <param name="dLoss">Gradient of the loss.</param>
    /// <param name="z">The token's z.</param>
    /// <param name="tokens">T, over 0.</param>
    /// <param name="probabilitiesE">The token's probabilities, p = softmax(logits).</param>
    /// <param name="dLogitsE">Receives the gradient.</param>
    public static void AddGradient(float dLoss, float z, long tokens, ReadOnlySpan<float> probabilitiesE, Span<float> dLogitsE)
    {
        var factor = dLoss * 2f * z / tokens;
        for (var expert = 0; expert < probabilitiesE.Length; expert++)
            dLogitsE[expert] += factor * probabilitiesE[expert];
    }
}
