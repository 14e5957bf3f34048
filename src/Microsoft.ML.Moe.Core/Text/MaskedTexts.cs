namespace Microsoft.ML.Moe.Text;

/// <summary>Texts of which some tokens are to be guessed.</summary>
/// <param name="Texts">The texts as the model sees them.</param>
/// <param name="Rows">Tokens to guess, numbered through all texts, ascending.</param>
/// <param name="Targets">For each its number in the vocabulary.</param>
internal sealed record MaskedTexts(IReadOnlyList<EncodedText> Texts, int[] Rows, int[] Targets);
