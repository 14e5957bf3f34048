namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Hides tokens for a model to guess (Devlin et al. 2019, "BERT", section 3.1): of the tokens that can be guessed a share is drawn; of
/// these 80 % are replaced by the mask token, 10 % by another token at random, 10 % stay as they are.
/// </summary>
/// <param name="vocabulary">Tokens that can be guessed.</param>
/// <param name="share">Share of them to draw, within (0, 1).</param>
internal sealed class TokenMasking(MaskedVocabulary vocabulary, float share)
{
    private const double Hidden = 0.8;
    private const double Replaced = 0.9;

    private readonly MaskedTexts _masked = new();

    /// <summary>Masks texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="random">Random numbers.</param>
    /// <returns>The texts, which stay as they are until others are masked.</returns>
    public MaskedTexts Mask(IReadOnlyList<EncodedText> texts, Random random)
    {
        _masked.Begin(texts);
        for (var i = 0; i < texts.Count; i++)
        {
            var tokens = _masked.TokensOf(i);
            for (var position = 0; position < tokens.Length; position++)
            {
                if (!vocabulary.TryGetNumber(tokens[position], out var target) || random.NextSingle() >= share)
                    continue;
                _masked.Add(i, position, target);
                var draw = random.NextDouble();
                if (draw < Hidden)
                    tokens[position] = TableTextInput.Masked;
                else if (draw < Replaced)
                    tokens[position] = vocabulary[random.Next(vocabulary.Count)];
            }
        }

        return _masked;
    }
}
