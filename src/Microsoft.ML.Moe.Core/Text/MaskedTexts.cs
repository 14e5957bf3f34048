namespace Microsoft.ML.Moe.Text;

/// <summary>Texts of which some tokens are to be guessed.</summary>
/// <param name="Texts">The texts as the model sees them.</param>
/// <param name="Guesses">Tokens to guess, ascending: number of the text, position in it, and number in the vocabulary.</param>
internal sealed record MaskedTexts(IReadOnlyList<EncodedText> Texts, IReadOnlyList<(int Text, int Position, int Target)> Guesses)
{
    /// <summary>Numbers in the vocabulary of the tokens to guess.</summary>
    public int[] Targets => [.. Guesses.Select(g => g.Target)];

    /// <summary>The tokens to guess as rows of the packed texts.</summary>
    /// <param name="batch">The texts, packed.</param>
    public int[] RowsIn(TextBatch batch) => [.. Guesses.Select(g => batch.Layout.Offsets[g.Text] + g.Position)];
}
