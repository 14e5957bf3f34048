namespace Microsoft.ML.Moe.Inputs;

/// <summary>Subwords of a tokenizer with learned embeddings: one table row for each id.</summary>
internal sealed class SubwordInput : TableTextInput
{
    private readonly ISubwordTokenizer _tokenizer;
    private readonly TokenFeatures[] _tokens;

    /// <summary>Creates the input.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="config">How text becomes tokens; its case is changed before it reaches the tokenizer.</param>
    public SubwordInput(ISubwordTokenizer tokenizer, TextInputConfig config)
        : base(config)
    {
        _tokenizer = tokenizer;
        _tokens = new TokenFeatures[tokenizer.VocabularySize];
        for (var id = 0; id < _tokens.Length; id++)
            _tokens[id] = new TokenFeatures([SpecialRows + id]);
    }

    public override int TableRows => SpecialRows + _tokens.Length;

    private protected override (TokenFeatures[] Tokens, int Count) Split(string text, List<Range> words, int wordCount)
    {
        var ids = _tokenizer.Encode(text);
        var tokens = new TokenFeatures[Math.Min(ids.Count, MaximumTokens)];
        for (var i = 0; i < tokens.Length; i++)
        {
            if ((uint)ids[i] >= (uint)_tokens.Length)
                throw new InvalidOperationException($"The tokenizer gave id {ids[i]}, but its vocabulary has {_tokens.Length} entries.");
            tokens[i] = _tokens[ids[i]];
        }

        return (tokens, ids.Count);
    }

    private protected override string TextOfRow(int row) =>
        _tokenizer.TextOf(row) is { Length: > 0 } text ? text : $"[{row}]";
}
