using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>What a linear branch reads of texts.</summary>
public enum LinearInput
{
    /// <summary>Nothing: there is no linear branch.</summary>
    None,

    /// <summary>The training texts will tell.</summary>
    Undecided,

    /// <summary>Words and pairs of neighbouring words.</summary>
    Words,

    /// <summary>Words, pairs of neighbouring words, and character n-grams of words.</summary>
    WordsAndCharacters,
}

/// <summary>How text becomes tokens.</summary>
public sealed record TextInputConfig : InputConfig
{
    /// <summary>The longest input where the training texts tell the length.</summary>
    internal const int MostTokens = 512;

    /// <summary>The shortest such input.</summary>
    private const int FewestTokens = 128;

    /// <summary>
    /// Tokens of all rows at most, where reading more than <see cref="FewestTokens"/> of each makes them many: passes over more than that
    /// take minutes, and a linear branch reads all words anyway.
    /// </summary>
    private const long MostTokensOfAll = 650_000;

    /// <summary>Share of the training texts that are to be read whole.</summary>
    private const double ShareReadWhole = 0.95;

    /// <summary>Whether text is lower-cased (invariant culture) before it is split. Default true.</summary>
    public bool Lowercase { get; init; } = true;

    /// <summary>
    /// Longest input in tokens, both texts of a pair together; what lies beyond is cut off, counted and reported. Within
    /// [8, 4096]. null follows the training texts: 19 of 20 are read whole, as far as 512 tokens do, or 650,000 for all rows together,
    /// but 128 always are. A trained model has a number. Default null.
    /// </summary>
    public int? MaximumTokens { get; init => field = OptionCheck.Range(value, 8, 4096, nameof(MaximumTokens)); }

    /// <summary>
    /// Binary logarithm of the number of rows in the hashed embedding table of words and character n-grams. Within [8, 22].
    /// Default 16. Not used with a tokenizer.
    /// </summary>
    public int HashBits { get; init => field = OptionCheck.Range(value, 8, 22, nameof(HashBits)); } = 16;

    /// <summary>
    /// Memory for words that were read before, in MiB, so that they are not hashed anew. Within [0, 1024]. Default 16. Not used with a tokenizer.
    /// </summary>
    [JsonIgnore]
    public int WordCacheMebibytes { get; init => field = OptionCheck.Range(value, 0, 1024, nameof(WordCacheMebibytes)); } = UsualWordCache;

    /// <summary><see cref="WordCacheMebibytes"/> as files have it, which is not there where it is the default.</summary>
    [JsonInclude]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    internal int? WordCache
    {
        get => WordCacheMebibytes == UsualWordCache ? null : WordCacheMebibytes;
        init => WordCacheMebibytes = value ?? UsualWordCache;
    }

    private const int UsualWordCache = 16;

    /// <summary>Whether tokens come from a tokenizer, and not from hashed words. What the input sets.</summary>
    public bool UsesTokenizer { get; init; }

    /// <summary>What a linear branch reads of texts. What the input sets.</summary>
    public LinearInput Linear { get; init => field = OptionCheck.Defined(value, nameof(Linear)); }

    /// <summary>Whether tokens that both texts of a pair have are marked. Default true.</summary>
    public bool MarksSharedTokens { get; init; } = true;

    /// <summary>Rows of the token table. What the input sets.</summary>
    public int TableRows { get; init => field = OptionCheck.Range(value, 0, 1 << 24, nameof(TableRows)); }

    /// <summary>The longest input for texts, where it follows them.</summary>
    /// <param name="lengths">Tokens of each training text, cut at <see cref="MostTokens"/>.</param>
    internal int LengthFor(IEnumerable<int> lengths)
    {
        if (MaximumTokens is { } given)
            return given;
        int[] ascending = [.. lengths.Order()];
        var last = ascending.Length == 0 ? 0 : ascending[(int)Math.Min(ascending.Length - 1, ascending.Length * ShareReadWhole)];
        return (int)Math.Max(FewestTokens, Math.Min(last, MostTokensOfAll / Math.Max(1, ascending.Length)));
    }

    /// <summary>The input that a saved model was trained with.</summary>
    /// <param name="tokenizer">The tokenizer that it was trained with, if any.</param>
    /// <exception cref="InvalidDataException">The tokenizer is missing, or not the model's.</exception>
    internal TableTextInput Restore(ISubwordTokenizer? tokenizer)
    {
        if (UsesTokenizer != tokenizer is not null)
            throw new InvalidDataException(
                UsesTokenizer ? "The model was trained with a tokenizer, which is missing." : "The model uses no tokenizer.");
        var input = TableTextInput.Create(this, tokenizer);
        return input.TableRows == TableRows
            ? input
            : throw new InvalidDataException(
                $"The model's token table has {TableRows} rows, its input needs {input.TableRows}: not the same vocabulary.");
    }
}
