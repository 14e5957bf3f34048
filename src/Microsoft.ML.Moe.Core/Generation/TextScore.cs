namespace Microsoft.ML.Moe.Generation;

/// <summary>How well a language model tells texts, token after token.</summary>
/// <param name="Tokens">Tokens that were told: all but the first of each stretch of text.</param>
/// <param name="LogProbability">Sum of the natural logarithms of their probabilities.</param>
/// <param name="Characters">Characters of the texts: Unicode code points, as <c>TextEvaluation.Perplexity</c> counts them.</param>
/// <param name="ExpertsPerToken">Mean number of experts that a token was sent to, over the MoE layers; 0 in a model without them.</param>
public sealed record TextScore(long Tokens, double LogProbability, long Characters, double ExpertsPerToken)
{
    /// <summary>Unicode code points of a text; half of a pair of surrogates without the other counts as one.</summary>
    internal static int CharactersOf(ReadOnlySpan<char> text)
    {
        var count = 0;
        foreach (var _ in text.EnumerateRunes())
            count++;
        return count;
    }

    /// <summary>Mean loss of a token, in nats.</summary>
    public double Loss => -LogProbability / Tokens;

    /// <summary>exp(<see cref="Loss"/>): 1 for a model that knows the texts by heart.</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Bits that the texts take for each character if they are coded by the model's probabilities.</summary>
    public double BitsPerCharacter => -LogProbability / Math.Log(2) / Characters;
}
