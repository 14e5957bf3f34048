namespace Microsoft.ML.Moe.Generation;

/// <summary>A text that a model has written.</summary>
/// <param name="Text">The text, without special tokens; cut before a stop string.</param>
/// <param name="Tokens">Ids of its tokens, the end token too.</param>
/// <param name="LogProbability">Sum of the natural logarithms of the tokens' probabilities.</param>
/// <param name="End">Why it ended.</param>
public sealed record GeneratedText(string Text, IReadOnlyList<int> Tokens, double LogProbability, GenerationEnd End);

/// <summary>What was written for a row of a table.</summary>
/// <param name="Answers">The texts, at least one, the best first.</param>
/// <param name="RouterEntropy">Mean router entropy over prompt and answer; NaN where it was not measured.</param>
internal sealed record WrittenRow(IReadOnlyList<GeneratedText> Answers, double RouterEntropy)
{
    /// <summary>The best answer.</summary>
    public GeneratedText Answer => Answers[0];
}
