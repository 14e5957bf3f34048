namespace Microsoft.ML.Moe.Text;

/// <summary>Noise on the input while training: what a model may not rely on, it learns to do without.</summary>
/// <param name="random">Source of chance.</param>
/// <param name="maskRate">Probability that a token is replaced by the mask token.</param>
/// <param name="wordDropRate">Probability that a token's own row is left out and only its parts remain.</param>
/// <param name="wideDropRate">Probability that a feature of the wide branch is left out.</param>
internal readonly struct InputNoise(Random random, float maskRate, float wordDropRate, float wideDropRate)
{
    /// <summary>Scale that keeps the expected sum of wide features.</summary>
    public float WideScale { get; } = 1f / (1f - wideDropRate);

    /// <summary>Whether to mask the next token.</summary>
    public bool MasksToken() => random.NextSingle() < maskRate;

    /// <summary>Whether to drop the next token's own row.</summary>
    public bool DropsWord() => random.NextSingle() < wordDropRate;

    /// <summary>Whether to drop the next wide feature.</summary>
    public bool DropsWide() => random.NextSingle() < wideDropRate;
}
