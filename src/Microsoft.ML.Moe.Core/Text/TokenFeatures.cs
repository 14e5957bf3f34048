namespace Microsoft.ML.Moe.Text;

/// <summary>
/// One token as rows of the embedding table: the first row is the token itself, the others, if any, are parts of it (character
/// n-grams). Its vector is row₀ + the mean of the other rows.
/// </summary>
/// <param name="rows">At least one row number.</param>
/// <param name="text">The token's text, where it is not told by its rows.</param>
internal sealed class TokenFeatures(int[] rows, string? text = null)
{
    /// <summary>The token's text; null where <see cref="TextInput.TextOf"/> tells it from the rows.</summary>
    public string? Text { get; } = text;

    /// <summary>Table rows, the token's own first.</summary>
    public int[] Rows { get; } = rows;
}
