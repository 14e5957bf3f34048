namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// The processors that options ask for, in the order of transformers' generate(): what the text may hold, its length, what is drawn from.
/// For one thread at a time.
/// </summary>
internal sealed class ScoreProcessors
{
    private readonly ScoreProcessor[] _processors;

    /// <summary>Makes them.</summary>
    public ScoreProcessors(GenerationOptions options) => _processors = [.. Of(options)];

    /// <summary>Changes the scores.</summary>
    /// <param name="sequence">The sequence so far.</param>
    /// <param name="scores">Score of each token as the next one, [V].</param>
    public void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        foreach (var processor in _processors)
            processor.Apply(sequence, scores);
    }

    private static IEnumerable<ScoreProcessor> Of(GenerationOptions options)
    {
        var ends = options.EndTokens;
        if (options.SequenceBiases.Count > 0)
            yield return new RunBias(options.SequenceBiases);
        if (options.RepetitionPenalty != 1f)
            yield return new RepetitionPenalty(options.RepetitionPenalty);
        if (options.NoRepeatNGramSize > 0)
            yield return new NoRepeatNGram(options.NoRepeatNGramSize);
        // an end token is never a banned word
        if (options.BannedSequences.Where(run => run.Count > 1 || !ends.Contains(run[0])).ToArray() is { Length: > 0 } banned)
            yield return new RunBias([.. banned.Select(run => new SequenceBias(run, float.NegativeInfinity))]);
        if (options.MinimumLength > 0 && ends.Count > 0)
            yield return new MinimumLength(options.MinimumLength, ends);
        if (options.MinimumNewTokens > 0 && ends.Count > 0)
            yield return new MinimumNewTokens(options.MinimumNewTokens, ends);
        if (options.ForcedFirstToken is { } first)
            yield return new ForcedFirstToken(first);
        if (options.ForcedLastTokens.Count > 0)
            yield return new ForcedLastTokens(options.ForcedLastTokens);
        if (options.RepairScores)
            yield return new RepairedScores();
        if (options.LengthDecayStart is { } start)
            yield return new LengthDecay(start, options.LengthDecayFactor, ends);
        if (options.SuppressedTokens.Count > 0)
            yield return new SuppressedTokens(options.SuppressedTokens);
        if (options.SuppressedFirstTokens.Count > 0)
            yield return new SuppressedFirstTokens(options.SuppressedFirstTokens, options.ForcedFirstToken is not null);
        if (options.Sample)
            foreach (var processor in OfSampling(options))
                yield return processor;
        if (options.RenormalizeScores)
            yield return new RenormalizedScores();
    }

    private static IEnumerable<ScoreProcessor> OfSampling(GenerationOptions options)
    {
        // a beam must be able to go on beside those that end
        var least = options.Beams > 1 ? Math.Max(2, options.EndTokens.Count + 1) : 1;
        if (options.Temperature != 1f)
            yield return new Temperature(options.Temperature);
        if (options.TopK > 0)
            yield return new TopK(Math.Max(options.TopK, least));
        if (options.TopP < 1f)
            yield return new TopP(options.TopP, least);
        if (options.MinP > 0f)
            yield return new MinP(options.MinP, least);
        if (options.TypicalP < 1f)
            yield return new TypicalP(options.TypicalP, least);
        if (options.EpsilonCutoff > 0f)
            yield return new EpsilonCutoff(options.EpsilonCutoff, least);
        if (options.EtaCutoff > 0f)
            yield return new EtaCutoff(options.EtaCutoff, least);
    }
}
