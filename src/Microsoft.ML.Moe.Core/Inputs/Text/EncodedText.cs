namespace Microsoft.ML.Moe.Inputs;

/// <summary>A text, or a pair of texts, as a model reads it.</summary>
public sealed class EncodedText
{
    internal EncodedText(TokenFeatures[] tokens, int secondStart, int[] wideFeatures, int tokensCutOff)
    {
        Tokens = tokens;
        SecondStart = secondStart;
        WideFeatures = wideFeatures;
        TokensCutOff = tokensCutOff;
    }

    /// <summary>Number of tokens kept; at least one, the start token.</summary>
    public int Length => Tokens.Length;

    /// <summary>Whether there is nothing in it but start tokens.</summary>
    public bool IsEmpty => Array.TrueForAll(Tokens, token => token.Rows[0] < TextInput.SpecialRows - 1);

    /// <summary>Number of tokens beyond the maximum length, cut off.</summary>
    public int TokensCutOff { get; }

    /// <summary>The tokens.</summary>
    internal TokenFeatures[] Tokens { get; }

    /// <summary>Position of the first token of the second text; <see cref="Length"/> when there is none.</summary>
    internal int SecondStart { get; }

    /// <summary>Hashes of word and word-pair features for the wide branch, each once, ascending.</summary>
    internal int[] WideFeatures { get; }
}

/// <summary>
/// One token as rows of the embedding table: the first row is the token itself, the others, if any, are parts of it (character
/// n-grams). Its vector is row₀ + the mean of the other rows.
/// </summary>
/// <param name="rows">At least one row number.</param>
/// <param name="text">The token's text, where it is not told by its rows.</param>
internal sealed class TokenFeatures(int[] rows, string? text = null)
{
    /// <summary>The token's text; null where <see cref="TextInput"/> tells it from the rows.</summary>
    public string? Text { get; } = text;

    /// <summary>Table rows, the token's own first.</summary>
    public int[] Rows { get; } = rows;
}
