namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The load-balancing loss of a router (Fedus et al. 2021, "Switch Transformers", eq. 4): N·Σₑ fₑ·Pₑ over N experts. fₑ is the share of
/// the tokens whose largest logit is the expert's, which has no gradient; Pₑ is the mean over the tokens of its probability
/// softmax(logits)ₑ. 1 for an even spread, up to N when one expert has everything.
/// </summary>
internal static class LoadBalancingLoss
{
    /// <summary>The expert that a token chooses first: that of the largest logit, the first of equals.</summary>
    /// <param name="logitsE">A token's logits, at least one.</param>
    public static int FirstChoice(ReadOnlySpan<float> logitsE)
    {
        var first = 0;
        for (var expert = 1; expert < logitsE.Length; expert++)
            first = logitsE[expert] > logitsE[first] ? expert : first;
        return first;
    }

    /// <summary>What the sum over experts of first choices times summed probabilities is multiplied with: N/T².</summary>
    /// <param name="experts">N.</param>
    /// <param name="tokens">T; 0 counts as 1, and makes the loss 0.</param>
    public static double Scale(int experts, long tokens) => experts / ((double)Math.Max(1, tokens) * Math.Max(1, tokens));

    /// <summary>The loss.</summary>
    /// <param name="firstChoicesE">How many tokens chose each expert first.</param>
    /// <param name="probabilitySumsE">Sum over tokens of each expert's probability.</param>
    /// <param name="tokens">T.</param>
    /// <returns>0 when there is no token.</returns>
    public static double Value(ReadOnlySpan<long> firstChoicesE, ReadOnlySpan<double> probabilitySumsE, long tokens)
    {
        var sum = 0.0;
        for (var expert = 0; expert < firstChoicesE.Length; expert++)
            sum += firstChoicesE[expert] * probabilitySumsE[expert];
        return Scale(firstChoicesE.Length, tokens) * sum;
    }

    /// <summary>Adds the gradient of one token's logits, N/T·p∘(f − ⟨p, f⟩).</summary>
    /// <param name="dLoss">Gradient of the loss.</param>
    /// <param name="firstChoicesE">How many tokens chose each expert first.</param>
    /// <param name="tokens">T, over 0.</param>
    /// <param name="probabilitiesE">The token's probabilities, p.</param>
    /// <param name="dLogitsE">Receives the gradient.</param>
    public static void AddGradient(
        float dLoss, ReadOnlySpan<long> firstChoicesE, long tokens, ReadOnlySpan<float> probabilitiesE, Span<float> dLogitsE)
    {
        var factor = dLoss * (float)Scale(firstChoicesE.Length, tokens);
        var mean = 0f;
        for (var expert = 0; expert < probabilitiesE.Length; expert++)
            mean += probabilitiesE[expert] * firstChoicesE[expert];
        for (var expert = 0; expert < probabilitiesE.Length; expert++)
            dLogitsE[expert] += factor * probabilitiesE[expert] * (firstChoicesE[expert] - mean);
    }
}
