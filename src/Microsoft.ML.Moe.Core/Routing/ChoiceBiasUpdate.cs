namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Balance without an auxiliary loss (Wang et al. 2024, arXiv 2408.15664, section 3; DeepSeek-V3): after each step the bias for the choice of
/// every expert that had fewer tokens than the mean rises, and that of every expert that had more falls, bₑ ← bₑ + u·sign(mean load − loadₑ).
/// </summary>
internal static class ChoiceBiasUpdate
{
    /// <summary>Changes the biases.</summary>
    /// <param name="biasE">b.</param>
    /// <param name="loadE">Tokens that each expert had in the step.</param>
    /// <param name="rate">u, 0.001 in the paper.</param>
    public static void Apply(Span<float> biasE, ReadOnlySpan<long> loadE, double rate)
    {
        var sum = 0L;
        foreach (var load in loadE)
            sum += load;
        for (var expert = 0; expert < biasE.Length; expert++)
            biasE[expert] += (float)(rate * Math.Sign(sum - loadE.Length * loadE[expert]));
    }
}
