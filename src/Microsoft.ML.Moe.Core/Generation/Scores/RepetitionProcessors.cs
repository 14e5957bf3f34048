namespace Microsoft.ML.Moe.Generation;

/// <summary>Makes tokens that occur already less probable.</summary>
/// <param name="penalty">Divides positive scores, multiplies negative ones.</param>
internal sealed class RepetitionPenalty(float penalty) : ScoreProcessor
{
    private readonly HashSet<int> _seen = [];

    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        _seen.Clear();
        foreach (var token in sequence.Tokens)
            if (token < scores.Length && _seen.Add(token))
                scores[token] = scores[token] < 0f ? scores[token] * penalty : scores[token] / penalty;
    }
}

/// <summary>Bans tokens that would end a run that occurs already.</summary>
/// <param name="size">Tokens of a run.</param>
internal sealed class NoRepeatNGram(int size) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        var tokens = sequence.Tokens;
        if (tokens.Length + 1 < size)
            return;
        var last = tokens[(tokens.Length - size + 1)..];
        for (var start = 0; start + size <= tokens.Length; start++)
            if (tokens.Slice(start, size - 1).SequenceEqual(last) && tokens[start + size - 1] < scores.Length)
                scores[tokens[start + size - 1]] = float.NegativeInfinity;
    }
}

/// <summary>Adds to the score of a run's last token where the others stand before it.</summary>
/// <param name="biases">Runs and what is added.</param>
internal sealed class RunBias(IReadOnlyList<SequenceBias> biases) : ScoreProcessor
{
    private readonly (int[] Before, int Last, float Bias)[] _runs =
        [.. biases.Select(bias => (bias.Tokens.Take(bias.Tokens.Count - 1).ToArray(), bias.Tokens[^1], bias.Bias))];

    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        foreach (var (before, last, bias) in _runs)
            // as in the source, a run that begins with the first token of all does not count
            if (last < scores.Length
                && (before.Length == 0 || (before.Length < sequence.Tokens.Length && sequence.Tokens.EndsWith(before))))
                scores[last] += bias;
    }
}

/// <summary>Bans tokens.</summary>
internal sealed class SuppressedTokens(IReadOnlyList<int> tokens) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores) => Ban(tokens, scores);
}

/// <summary>Bans tokens at the beginning of an answer.</summary>
/// <param name="tokens">The tokens.</param>
/// <param name="isFirstForced">Whether the first token after a lone start token is given, and the next one counts as first.</param>
internal sealed class SuppressedFirstTokens(IReadOnlyList<int> tokens, bool isFirstForced) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        var first = sequence.ContextLength + (isFirstForced && sequence.ContextLength <= 1 ? 1 : 0);
        if (sequence.Tokens.Length == first)
            Ban(tokens, scores);
    }
}
