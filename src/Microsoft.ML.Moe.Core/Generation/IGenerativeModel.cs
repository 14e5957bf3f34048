namespace Microsoft.ML.Moe.Generation;

/// <summary>A model that writes token after token: all that the algorithms of generation know of it.</summary>
internal interface IGenerativeModel
{
    /// <summary>Number of tokens that there are, V.</summary>
    int VocabularySize { get; }

    /// <summary>
    /// Most tokens of prompt and answer together where the answer continues the prompt, of the answer alone where it does not;
    /// <see cref="int.MaxValue"/> without limit.
    /// </summary>
    int MaximumTokens { get; }

    /// <summary>Tokens that stand before an answer and count as <see cref="MaximumTokens"/> does: the prompt, or a decoder's start token.</summary>
    /// <param name="prompt">Ids of the prompt.</param>
    int ContextLength(int[] prompt);

    /// <summary>Checks a prompt as <see cref="Begin"/> does, before anything is computed.</summary>
    /// <param name="prompt">Ids of the prompt.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="ArgumentException">It is empty where the model needs a token, too long, or holds an id that is none.</exception>
    void CheckPrompt(int[] prompt, string name);

    /// <summary>Begins answers to prompts: sequence p·copies + c continues prompt p.</summary>
    /// <param name="prompts">Ids of each prompt, one at least.</param>
    /// <param name="copies">Answers that are written to each prompt at the same time, as beams are; at least 1.</param>
    /// <param name="capacity">Most tokens that are appended to a sequence after its prompt; at least 1.</param>
    /// <exception cref="ArgumentException">A prompt is empty where the model needs one, too long, or holds an id that is none.</exception>
    Decoding Begin(IReadOnlyList<int[]> prompts, int copies, int capacity);
}
