namespace Microsoft.ML.Moe.Generation;

/// <summary>A text that a model has written.</summary>
/// <param name="Text">The text, without special tokens; cut before a stop string.</param>
/// <param name="Tokens">Ids of its tokens, the end token too.</param>
/// <param name="LogProbability">Sum of the natural logarithms of the tokens' probabilities.</param>
/// <param name="End">Why it ended.</param>
public sealed record GeneratedText(string Text, IReadOnlyList<int> Tokens, double LogProbability, GenerationEnd End);

/// <summary>A text that was written for a row of a table.</summary>
/// <param name="Answer">The text.</param>
/// <param name="RouterEntropy">Mean router entropy over prompt and answer; NaN where it was not measured.</param>
internal sealed record WrittenRow(GeneratedText Answer, double RouterEntropy);
