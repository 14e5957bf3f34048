namespace Microsoft.ML.Moe;

/// <summary>How the states of a text's tokens become one vector (sentence-transformers' Pooling). m tells a token from padding.</summary>
public enum TextPooling
{
    /// <summary>The first token's state, BERT's [CLS].</summary>
    FirstToken,

    /// <summary>The largest value of each component.</summary>
    Max,

    /// <summary>The mean, Σ m·x / Σ m.</summary>
    Mean,

    /// <summary>Σ m·x / √(Σ m).</summary>
    MeanSquareRootLength,

    /// <summary>The mean weighted by position, Σ t·m·x / Σ t·m with t = 1, 2, …</summary>
    WeightedMean,

    /// <summary>The last token's state.</summary>
    LastToken,
}
