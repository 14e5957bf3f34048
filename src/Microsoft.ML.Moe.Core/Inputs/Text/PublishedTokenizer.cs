using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>A tokenizer in Hugging Face's files as the tokenizer of a published encoder.</summary>
/// <param name="tokenizer">The tokenizer.</param>
internal sealed class PublishedTokenizer(HuggingFaceTokenizer tokenizer) : IPublishedTokenizer
{
    /// <summary>The tokenizer.</summary>
    public HuggingFaceTokenizer Inner => tokenizer;

    /// <inheritdoc/>
    public int VocabularySize => tokenizer.VocabularySize;

    /// <summary>Largest number of tokens that the encoder was made for, special ones counted; null where the files do not tell.</summary>
    public int? MaximumLength => tokenizer.MaximumLength;

    /// <summary>The files that it was made from, by name.</summary>
    public IReadOnlyDictionary<string, byte[]> Files => tokenizer.Files;

    /// <summary>Reads a tokenizer from files by name.</summary>
    /// <exception cref="FileNotFoundException">There is no tokenizer among them.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or has a part that is not supported; the message names both.</exception>
    public static PublishedTokenizer Load(IReadOnlyDictionary<string, byte[]> files) => new(HuggingFaceTokenizer.Load(files));

    /// <summary>Reads a tokenizer from a folder.</summary>
    /// <exception cref="FileNotFoundException">There is no tokenizer in it; the message says which files are needed.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or has a part that is not supported; the message names both.</exception>
    public static PublishedTokenizer Load(string folder) => new(HuggingFaceTokenizer.Load(folder));

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text) => tokenizer.EncodeIds(text);

    /// <inheritdoc/>
    public string? TextOf(int id) => tokenizer.TokenText(id);

    /// <inheritdoc/>
    public int SpecialTokens(bool isPair) => tokenizer.SpecialTokensOf(isPair);

    /// <inheritdoc/>
    public TokenIds WithSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair)
    {
        var (ids, types) = tokenizer.AddSpecialTokens(first, second, isPair);
        return new TokenIds(ids, types.AsSpan().ContainsAnyExcept(0) ? types : null);
    }

    /// <summary>Tokens that a text's beginning takes, special ones before it counted.</summary>
    /// <param name="beginning">The beginning.</param>
    public int TokensBefore(string beginning)
    {
        if (beginning.Length == 0)
            return 0;
        var encoding = tokenizer.Encode(beginning);
        // as sentence-transformers counts: all but one special token at the end
        return encoding.Length - (encoding.Length > 0 && encoding.IsSpecial[^1] ? 1 : 0);
    }
}
