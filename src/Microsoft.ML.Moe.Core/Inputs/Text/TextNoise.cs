namespace Microsoft.ML.Moe.Inputs;

/// <summary>Noise on texts while training: what a model may not rely on, it learns to do without.</summary>
public sealed record TextNoise
{
    /// <summary>Probability that a token is hidden from the encoder, within [0, 1). Default 0.1.</summary>
    public float TokenMaskRate { get; init => field = OptionCheck.Rate(value, nameof(TokenMaskRate)); } = 0.1f;

    /// <summary>
    /// Probability that only a word's character n-grams are shown, so that the model learns to read unseen words. Within [0, 1). Default
    /// 0.1. Not used with a tokenizer.
    /// </summary>
    public float WordDropRate { get; init => field = OptionCheck.Rate(value, nameof(WordDropRate)); } = 0.1f;

    /// <summary>Probability that a feature is hidden from the wide branch, within [0, 1). Default 0.3.</summary>
    public float WideDropRate { get; init => field = OptionCheck.Rate(value, nameof(WideDropRate)); } = 0.3f;
}

/// <summary>The noise of one batch.</summary>
/// <param name="random">Random numbers.</param>
/// <param name="rates">How much noise.</param>
internal readonly struct NoiseSource(Random random, TextNoise rates)
{
    /// <summary>Scale that keeps the expected sum of wide features.</summary>
    public float WideScale => 1f / (1f - rates.WideDropRate);

    /// <summary>Whether to mask the next token.</summary>
    public bool MasksToken() => random.NextSingle() < rates.TokenMaskRate;

    /// <summary>Whether to drop the next token's own row.</summary>
    public bool DropsWord() => random.NextSingle() < rates.WordDropRate;

    /// <summary>Whether to drop the next wide feature.</summary>
    public bool DropsWide() => random.NextSingle() < rates.WideDropRate;
}
