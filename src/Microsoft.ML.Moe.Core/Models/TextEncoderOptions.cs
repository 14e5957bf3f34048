namespace Microsoft.ML.Moe.Models;

/// <summary>What text models have in common: input, the encoder's architecture, and how it is trained.</summary>
public abstract class TextEncoderOptions : EncoderOptions
{
    private protected TextEncoderOptions()
    {
    }

    /// <summary>Whether text is lower-cased (invariant culture) before it is split. Default true.</summary>
    public bool Lowercase { get; set; } = true;

    /// <summary>
    /// Longest input in tokens, both columns of a pair together; what lies beyond is cut off, counted and reported. Within
    /// [8, 4096]. Default 128.
    /// </summary>
    public int MaximumTokens { get; set; } = 128;

    /// <summary>
    /// Binary logarithm of the number of rows in the hashed embedding table of words and character n-grams. Within [8, 22].
    /// Default 16. Not used with a tokenizer.
    /// </summary>
    public int HashBits { get; set; } = 16;

    /// <summary>Peak learning rate of embedding tables, over 0. Default 1e-2.</summary>
    public float EmbeddingLearningRate { get; set; } = 1e-2f;

    /// <summary>
    /// Probability that only a word's character n-grams are shown while training, so that unseen words are no surprise. Within
    /// [0, 1). Default 0.1. Not used with a tokenizer.
    /// </summary>
    public float WordDropRate { get; set; } = 0.1f;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        OptionCheck.Range(MaximumTokens, 8, 4096, nameof(MaximumTokens));
        OptionCheck.Range(HashBits, 8, 22, nameof(HashBits));
        OptionCheck.Positive(EmbeddingLearningRate, nameof(EmbeddingLearningRate));
        OptionCheck.Rate(WordDropRate, nameof(WordDropRate));
    }
}
