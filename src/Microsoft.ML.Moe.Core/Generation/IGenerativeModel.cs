namespace Microsoft.ML.Moe.Generation;

/// <summary>A model that continues token sequences, as the algorithms of generation see it.</summary>
internal interface IGenerativeModel
{
    /// <summary>Number of scores of a next token, V.</summary>
    int VocabularySize { get; }

    /// <summary>
    /// Most tokens of prompt and answer together (causal models) or of the answer (encoder–decoders); <see cref="int.MaxValue"/> without a
    /// limit.
    /// </summary>
    int MaximumTokens { get; }

    /// <summary>Begins answers to prompts: sequence p · copies + c continues prompt p.</summary>
    /// <param name="prompts">Ids of each prompt.</param>
    /// <param name="copies">Sequences for each prompt.</param>
    /// <param name="capacity">Most tokens that are appended to a sequence after its prompt.</param>
    Decoding Begin(IReadOnlyList<int[]> prompts, int copies, int capacity);
}
