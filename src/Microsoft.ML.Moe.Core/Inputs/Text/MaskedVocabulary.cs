namespace Microsoft.ML.Moe.Inputs;

/// <summary>The most frequent tokens of a text collection: those that a model learns to guess. Words are told apart by their row.</summary>
internal sealed class MaskedVocabulary
{
    private readonly TokenFeatures[] _tokens;
    private readonly Dictionary<int, int> _numberOfRow;

    private MaskedVocabulary(TokenFeatures[] tokens)
    {
        _tokens = tokens;
        _numberOfRow = Enumerable.Range(0, tokens.Length).ToDictionary(i => tokens[i].Rows[0]);
    }

    /// <summary>Number of tokens, V.</summary>
    public int Count => _tokens.Length;

    /// <summary>A token by its number.</summary>
    public TokenFeatures this[int number] => _tokens[number];

    /// <summary>The most frequent tokens of texts; of equally frequent ones those with the lower row.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="maximum">Largest number of tokens.</param>
    public static MaskedVocabulary Of(IEnumerable<EncodedText> texts, int maximum)
    {
        var counts = new Dictionary<int, (TokenFeatures Token, int Count)>();
        foreach (var text in texts)
            foreach (var token in text.Tokens)
                if (token.Rows[0] >= TableTextInput.SpecialRows)
                    counts[token.Rows[0]] = (token, counts.GetValueOrDefault(token.Rows[0]).Count + 1);
        var frequent = counts.OrderByDescending(c => c.Value.Count).ThenBy(c => c.Key).Take(maximum);
        return new MaskedVocabulary([.. frequent.Select(c => c.Value.Token)]);
    }

    /// <summary>The number of a token, within [0, V).</summary>
    /// <returns>Whether it is in the vocabulary.</returns>
    public bool TryGetNumber(TokenFeatures token, out int number) => _numberOfRow.TryGetValue(token.Rows[0], out number);
}
