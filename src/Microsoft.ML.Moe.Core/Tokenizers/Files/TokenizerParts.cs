namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>What a tokenizer is made of.</summary>
internal sealed record TokenizerParts
{
    /// <summary>The model.</summary>
    public required SubwordModel Model { get; init; }

    /// <summary>Tokens found before the model; in the order of their ids.</summary>
    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary>What changes the text; null for nothing.</summary>
    public TextNormalizer? Normalizer { get; init; }

    /// <summary>What splits the text; null for nothing.</summary>
    public TextPreTokenizer? PreTokenizer { get; init; }

    /// <summary>What adds special tokens; null for nothing.</summary>
    public PostProcessor? PostProcessor { get; init; }

    /// <summary>What makes text of tokens; null for joining them with spaces.</summary>
    public TokenDecoder? Decoder { get; init; }

    /// <summary>How the file says that texts are cut; null for not at all.</summary>
    public TruncationSettings? Truncation { get; init; }

    /// <summary>How the file says that texts are filled up; null for not at all.</summary>
    public PaddingSettings? Padding { get; init; }
}
