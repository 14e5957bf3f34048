namespace Microsoft.ML.Moe.Generation;

/// <summary>An answer.</summary>
/// <param name="Tokens">Ids that were generated, the end token too; those of the stop string too.</param>
/// <param name="Text">Their text without special tokens, cut before the stop string; null where no text was asked for.</param>
/// <param name="LogProbability">Sum of the tokens' log-probabilities, as the model gives them before any option changes them.</param>
/// <param name="Score">
/// What beam search ranks it by: the sum of changed log-probabilities over lengthᵖ; without beams the log-probability.
/// </param>
/// <param name="End">Why it ended.</param>
internal sealed record GeneratedSequence(int[] Tokens, string? Text, double LogProbability, double Score, GenerationEnd End);

/// <summary>A part of an answer, as soon as it is known.</summary>
/// <param name="Prompt">Which prompt, from 0.</param>
/// <param name="Sequence">Which of its answers, from 0.</param>
/// <param name="Tokens">The tokens that are new: one, or with beam search all.</param>
/// <param name="Text">The text that is certain with them: whole characters, which may be those of earlier tokens.</param>
/// <param name="End">Why the answer ended; null: it goes on.</param>
internal readonly record struct GeneratedPiece(int Prompt, int Sequence, IReadOnlyList<int> Tokens, string Text, GenerationEnd? End);

/// <summary>Why an answer ended.</summary>
public enum GenerationEnd
{
    /// <summary>By an end token.</summary>
    EndToken,

    /// <summary>By a stop string.</summary>
    StopString,

    /// <summary>It has as many tokens as it may have.</summary>
    Length,
}
