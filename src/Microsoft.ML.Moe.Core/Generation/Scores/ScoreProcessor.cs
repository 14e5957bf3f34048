namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Changes the scores of a sequence's next token; −∞ bans a token. Has memory of its own: for one thread at a time.
/// Source of all of them: huggingface/transformers 5.23, generation/logits_process.py.
/// </summary>
internal abstract class ScoreProcessor
{
    /// <summary>Changes the scores.</summary>
    /// <param name="sequence">The sequence so far.</param>
    /// <param name="scores">Score of each token as the next one, [V].</param>
    public abstract void Apply(SequenceSoFar sequence, Span<float> scores);

    /// <summary>Bans tokens; ids that the vocabulary does not have are passed over.</summary>
    private protected static void Ban(IEnumerable<int> tokens, Span<float> scores)
    {
        foreach (var token in tokens)
            if (token < scores.Length)
                scores[token] = float.NegativeInfinity;
    }

    /// <summary>Bans all but some tokens, whose scores become 0.</summary>
    private protected static void Force(IEnumerable<int> tokens, Span<float> scores)
    {
        scores.Fill(float.NegativeInfinity);
        foreach (var token in tokens)
            if (token < scores.Length)
                scores[token] = 0f;
    }
}

/// <summary>A sequence whose next token is looked for.</summary>
/// <param name="tokens">Ids of the context (a prompt, or a decoder's start token) and of what was generated.</param>
/// <param name="contextLength">How many of them are the context.</param>
/// <param name="maximumLength">Most ids that it can get.</param>
internal readonly ref struct SequenceSoFar(ReadOnlySpan<int> tokens, int contextLength, int maximumLength)
{
    /// <summary>Ids of the context (a prompt, or a decoder's start token) and of what was generated.</summary>
    public ReadOnlySpan<int> Tokens { get; } = tokens;

    /// <summary>How many of them are the context.</summary>
    public int ContextLength { get; } = contextLength;

    /// <summary>Most ids that it can get.</summary>
    public int MaximumLength { get; } = maximumLength;
}
