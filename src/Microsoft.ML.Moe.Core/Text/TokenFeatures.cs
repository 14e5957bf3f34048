namespace Microsoft.ML.Moe.Text;

/// <summary>
/// One token as rows of the embedding table: the first row is the token itself, the others, if any, are parts of it (character
/// n-grams). Its vector is row₀ + the mean of the other rows.
/// </summary>
/// <param name="rows">At least one row number.</param>
internal sealed class TokenFeatures(int[] rows)
{
    /// <summary>Table rows, the token's own first.</summary>
    public int[] Rows { get; } = rows;
}
