namespace Microsoft.ML.Moe.Generation;

/// <summary>Bans end tokens before a sequence, context counted, is so long.</summary>
internal sealed class MinimumLength(int length, IReadOnlyList<int> endTokens) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        if (sequence.Tokens.Length < length)
            Ban(endTokens, scores);
    }
}

/// <summary>Bans end tokens before so many tokens were generated.</summary>
internal sealed class MinimumNewTokens(int count, IReadOnlyList<int> endTokens) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        if (sequence.Tokens.Length - sequence.ContextLength < count)
            Ban(endTokens, scores);
    }
}

/// <summary>Gives the token after a lone start token.</summary>
internal sealed class ForcedFirstToken(int token) : ScoreProcessor
{
    private readonly int[] _tokens = [token];

    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        if (sequence.Tokens.Length == 1)
            Force(_tokens, scores);
    }
}

/// <summary>Gives the last token of a sequence that reaches its greatest length.</summary>
internal sealed class ForcedLastTokens(IReadOnlyList<int> tokens) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        if (sequence.Tokens.Length == sequence.MaximumLength - 1)
            Force(tokens, scores);
    }
}

/// <summary>
/// Raises the scores of end tokens the more, the longer the answer is: the n-th token behind the start adds |score| · (factorⁿ − 1).
/// </summary>
internal sealed class LengthDecay(int start, float factor, IReadOnlyList<int> endTokens) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        var behind = sequence.Tokens.Length - sequence.ContextLength - start;
        if (behind <= 0)
            return;
        var share = (float)(Math.Pow(factor, behind) - 1);
        foreach (var token in endTokens)
            if (token < scores.Length)
                scores[token] += Math.Abs(scores[token]) * share;
    }
}

/// <summary>Replaces what is not a finite number.</summary>
internal sealed class RepairedScores : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        foreach (ref var score in scores)
            score = float.IsNaN(score) ? 0f : Math.Clamp(score, float.MinValue, float.MaxValue);
    }
}

/// <summary>Makes scores log-probabilities.</summary>
internal sealed class RenormalizedScores : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        var normalizer = Probabilities.LogSumExp(scores);
        foreach (ref var score in scores)
            score = (float)(score - normalizer);
    }
}
