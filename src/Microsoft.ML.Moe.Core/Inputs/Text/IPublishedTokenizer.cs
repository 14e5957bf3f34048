namespace Microsoft.ML.Moe.Inputs;

/// <summary>A published encoder's tokenizer: it knows which special tokens stand around a text or a pair.</summary>
internal interface IPublishedTokenizer : ISubwordTokenizer
{
    /// <summary>Number of special tokens that are added to a text or a pair.</summary>
    int SpecialTokens(bool isPair);

    /// <summary>Ids with special tokens, as the encoder was trained with them.</summary>
    /// <param name="first">Ids of the first text, from <see cref="ISubwordTokenizer.Encode"/>, cut as they shall be.</param>
    /// <param name="second">Ids of the second; empty where there is none.</param>
    /// <param name="isPair">Whether there is a second text, which may be empty.</param>
    TokenIds WithSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair);
}

/// <summary>A text, or a pair, as ids.</summary>
/// <param name="Ids">The ids, special tokens included.</param>
/// <param name="Types">Type of each token; null where all are 0.</param>
/// <param name="SecondWindow">Where a second sequence begins; 0 where there is one alone.</param>
internal sealed record TokenIds(int[] Ids, int[]? Types = null, int SecondWindow = 0)
{
    /// <summary>A target that is not counted, as Hugging Face writes it.</summary>
    public const int NotCounted = -100;

    /// <summary>Position of the first token that a causal model is to tell, within [1, length]: 1, the default, for all but the first.</summary>
    public int FirstTarget { get; init; } = 1;

    /// <summary>
    /// Ids that a decoder is to write to this text, the end token included and no start token; <see cref="NotCounted"/> where there is to be
    /// no loss. null where there is nothing to write.
    /// </summary>
    public int[]? Targets { get; init; }
}
