using Microsoft.ML.Offline;

namespace Microsoft.ML.Tokenizers;

/// <summary>
/// WordPiece with BERT's normalisation. Called as a <see cref="Tokenizer"/> it adds no special tokens; called as itself it does,
/// as the real one.
/// </summary>
public sealed class BertTokenizer : WordPieceTokenizer
{
    private BertTokenizer(WordPieceVocabulary vocabulary, BertOptions options)
        : base(vocabulary, options)
    {
        LowerCaseBeforeTokenization = options.LowerCaseBeforeTokenization;
        ApplyBasicTokenization = options.ApplyBasicTokenization;
        SplitOnSpecialTokens = options.SplitOnSpecialTokens;
        IndividuallyTokenizeCjk = options.IndividuallyTokenizeCjk;
        RemoveNonSpacingMarks = options.RemoveNonSpacingMarks;
        (SeparatorToken, SeparatorTokenId) = (options.SeparatorToken, Find(vocabulary, options.SeparatorToken));
        (PaddingToken, PaddingTokenId) = (options.PaddingToken, Find(vocabulary, options.PaddingToken));
        (ClassificationToken, ClassificationTokenId) = (options.ClassificationToken, Find(vocabulary, options.ClassificationToken));
        (MaskingToken, MaskingTokenId) = (options.MaskingToken, Find(vocabulary, options.MaskingToken));
    }

    public bool LowerCaseBeforeTokenization { get; }

    public bool ApplyBasicTokenization { get; }

    public bool SplitOnSpecialTokens { get; }

    public bool IndividuallyTokenizeCjk { get; }

    public bool RemoveNonSpacingMarks { get; }

    public string SeparatorToken { get; }

    public int SeparatorTokenId { get; }

    public string PaddingToken { get; }

    public int PaddingTokenId { get; }

    public string ClassificationToken { get; }

    public int ClassificationTokenId { get; }

    public string MaskingToken { get; }

    public int MaskingTokenId { get; }

    public static BertTokenizer Create(string vocabFilePath, BertOptions options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(vocabFilePath);
        using var stream = File.OpenRead(vocabFilePath);
        return Create(stream, options);
    }

    public static BertTokenizer Create(Stream vocabStream, BertOptions options = null)
    {
        options ??= new BertOptions();
        var vocabulary = new WordPieceVocabulary(vocabStream);
        if (options.ApplyBasicTokenization)
            options.Normalizer ??= Normalizers.Bert(options);
        var words = options.SplitOnSpecialTokens ? AddSpecialTokens(vocabulary, options) : null;
        options.PreTokenizer ??= options.ApplyBasicTokenization
            ? PreTokenizer.CreateWordOrPunctuation(words)
            : PreTokenizer.CreateWhiteSpace();
        return new BertTokenizer(vocabulary, options);
    }

    public new IReadOnlyList<int> EncodeToIds(string text, bool considerPreTokenization = true, bool considerNormalization = true) =>
        EncodeToIds(text, true, considerPreTokenization, considerNormalization);

    public new IReadOnlyList<int> EncodeToIds(
        ReadOnlySpan<char> text, bool considerPreTokenization = true, bool considerNormalization = true) =>
        EncodeToIds(text, true, considerPreTokenization, considerNormalization);

    public IReadOnlyList<int> EncodeToIds(
        string text, bool addSpecialTokens, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        var ids = base.EncodeToIds(text, considerPreTokenization, considerNormalization);
        return addSpecialTokens ? BuildInputsWithSpecialTokens(ids) : ids;
    }

    public IReadOnlyList<int> EncodeToIds(
        ReadOnlySpan<char> text, bool addSpecialTokens, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        var ids = base.EncodeToIds(text, considerPreTokenization, considerNormalization);
        return addSpecialTokens ? BuildInputsWithSpecialTokens(ids) : ids;
    }

    public IReadOnlyList<int> BuildInputsWithSpecialTokens(IEnumerable<int> tokenIds, IEnumerable<int> additionalTokenIds = null)
    {
        ArgumentNullException.ThrowIfNull(tokenIds);
        List<int> ids = [ClassificationTokenId, .. tokenIds, SeparatorTokenId];
        if (additionalTokenIds != null)
            ids.AddRange([.. additionalTokenIds, SeparatorTokenId]);
        return ids;
    }

    /// <summary>The special tokens as they stand in normalised text.</summary>
    private static Dictionary<string, int> AddSpecialTokens(WordPieceVocabulary vocabulary, BertOptions options)
    {
        options.SpecialTokens ??= new[]
        {
            options.UnknownToken, options.SeparatorToken, options.PaddingToken, options.ClassificationToken, options.MaskingToken,
        }.ToDictionary(token => token, token => Find(vocabulary, token));
        var words = new Dictionary<string, int>();
        foreach (var (token, id) in options.SpecialTokens)
        {
            if (vocabulary.IdOf(token) != id)
                throw new ArgumentException($"The special token '{token}' is not in the vocabulary as {id}.");
            var word = options.ApplyBasicTokenization && options.LowerCaseBeforeTokenization ? token.ToLowerInvariant() : token;
            vocabulary.AddSpelling(word, id);
            words[word] = id;
        }

        return words;
    }

    private static int Find(WordPieceVocabulary vocabulary, string token) => vocabulary.IdOf(token) ??
        throw new ArgumentException($"The special token '{token}' is not in the vocabulary.");
}
