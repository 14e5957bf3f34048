namespace Microsoft.ML.Moe.Text;

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

    /// <summary>Whether a token also occurs in the other text of a pair, as far as both are kept: by the token's own row.</summary>
    internal bool IsShared(int position)
    {
        if (SecondStart == Length || Tokens[position].Rows[0] < TextInput.SpecialRows)
            return false;
        _shared ??= [.. Rows(0, SecondStart).Intersect(Rows(SecondStart, Length))];
        return _shared.Contains(Tokens[position].Rows[0]);

        IEnumerable<int> Rows(int start, int end) => Tokens[start..end].Select(token => token.Rows[0]);
    }

    private HashSet<int>? _shared;

    /// <summary>Hashes of word and word-pair features for the wide branch, each once, ascending.</summary>
    internal int[] WideFeatures { get; }
}
