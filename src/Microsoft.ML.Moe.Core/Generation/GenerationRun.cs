namespace Microsoft.ML.Moe.Generation;

/// <summary>What an algorithm of generation works on.</summary>
/// <param name="Options">How it goes on.</param>
/// <param name="Decoding">The sequences, <paramref name="Copies"/> for each prompt.</param>
/// <param name="Copies">Sequences for each prompt.</param>
/// <param name="Rooms">Most tokens of each prompt's answers.</param>
/// <param name="NumberOf">Number of a prompt among all that the seed is for.</param>
/// <param name="Decode">Makes text of tokens; null: there is no text.</param>
/// <param name="PieceMade">Is called with each part of an answer; null for none.</param>
/// <param name="Stop">Ends it between two tokens.</param>
internal sealed record GenerationRun(
    GenerationOptions Options,
    Decoding Decoding,
    int Copies,
    int[] Rooms,
    Func<int, long> NumberOf,
    Func<IReadOnlyList<int>, string>? Decode,
    Action<GeneratedPiece>? PieceMade,
    CancellationToken Stop)
{
    /// <summary>Whether a token ends an answer.</summary>
    public bool Ends(int token) => Options.EndTokens.Contains(token);

    /// <summary>Text of a new answer.</summary>
    public SequenceText CreateText() => new(Decode, Options.StopStrings);

    /// <summary>Memory for the scores of all sequences.</summary>
    /// <exception cref="ArgumentException">There are too many.</exception>
    public float[] CreateScores() => (long)Decoding.Sequences * Decoding.VocabularySize <= Array.MaxLength
        ? new float[Decoding.Sequences * Decoding.VocabularySize]
        : throw new ArgumentException($"{Decoding.Sequences} sequences at once are too many: give fewer prompts at a time.");

    /// <summary>Scores' logarithm of the sum of exponentials.</summary>
    /// <exception cref="InvalidOperationException">The scores are not numbers.</exception>
    public static double NormalizerOf(ReadOnlySpan<float> scores) => Probabilities.LogSumExp(scores) is var sum && double.IsFinite(sum)
        ? sum
        : throw new InvalidOperationException("The model's scores are not finite numbers.");

    /// <summary>The error where no token is left.</summary>
    public static InvalidOperationException NothingLeft(int prompt) =>
        new($"The options leave no token that could continue the answer to prompt {prompt}: allow more tokens, or an end token.");
}
