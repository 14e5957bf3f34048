namespace Microsoft.ML.Moe.Inputs;

/// <summary>How text becomes tokens.</summary>
public sealed record TextInputConfig : InputConfig
{
    /// <summary>Whether text is lower-cased (invariant culture) before it is split. Default true.</summary>
    public bool Lowercase { get; init; } = true;

    /// <summary>
    /// Longest input in tokens, both texts of a pair together; what lies beyond is cut off, counted and reported. Within
    /// [8, 4096]. Default 128.
    /// </summary>
    public int MaximumTokens { get; init => field = OptionCheck.Range(value, 8, 4096, nameof(MaximumTokens)); } = 128;

    /// <summary>
    /// Binary logarithm of the number of rows in the hashed embedding table of words and character n-grams. Within [8, 22].
    /// Default 16. Not used with a tokenizer.
    /// </summary>
    public int HashBits { get; init => field = OptionCheck.Range(value, 8, 22, nameof(HashBits)); } = 16;

    /// <summary>Whether tokens come from a tokenizer, and not from hashed words. What <see cref="TextInput"/> sets.</summary>
    public bool UsesTokenizer { get; init; }

    /// <summary>Rows of the token table. What <see cref="TextInput"/> sets.</summary>
    public int TableRows { get; init => field = OptionCheck.Range(value, 0, 1 << 24, nameof(TableRows)); }

    /// <summary>The input that a saved model was trained with.</summary>
    /// <param name="tokenizer">The tokenizer that it was trained with, if any.</param>
    /// <exception cref="InvalidDataException">The tokenizer is missing, or not the model's.</exception>
    internal TextInput Restore(ISubwordTokenizer? tokenizer)
    {
        if (UsesTokenizer != tokenizer is not null)
            throw new InvalidDataException(
                UsesTokenizer ? "The model was trained with a tokenizer, which is missing." : "The model uses no tokenizer.");
        var input = TextInput.Create(this, tokenizer);
        return input.TableRows == TableRows
            ? input
            : throw new InvalidDataException(
                $"The model's token table has {TableRows} rows, its input needs {input.TableRows}: not the same vocabulary.");
    }
}
