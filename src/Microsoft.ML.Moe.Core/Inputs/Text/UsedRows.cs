namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Rows of the token table that training texts use. Any others would keep the random numbers that they begin with: noise to a text with
/// words never seen, and nothing that a zip could compress. They begin, and stay, at zero, unless an earlier training has learned them.
/// </summary>
internal static class UsedRows
{
    /// <summary>Flags the rows that a text uses; those that stand for no word always count.</summary>
    /// <param name="rows">Rows of the table.</param>
    /// <param name="texts">The training texts.</param>
    public static bool[] Of(int rows, IEnumerable<EncodedText> texts)
    {
        var isUsed = new bool[rows];
        isUsed.AsSpan(0, TableTextInput.SpecialRows).Fill(true);
        foreach (var text in texts)
            foreach (var token in text.Tokens)
                foreach (var row in token.Rows)
                    isUsed[row] = true;
        return isUsed;
    }
}
