using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Follows the best beginnings of each prompt's answers at the same time; where <see cref="GenerationOptions.Sample"/> is set, beginnings
/// that are drawn by their probabilities.
/// </summary>
/// <param name="run">What it works on.</param>
internal sealed class BeamSearch(GenerationRun run)
{
    private readonly int _vocabulary = run.Decoding.VocabularySize;
    private readonly ScoreProcessors _processors = new(run.Options);
    private readonly float[] _changed = new float[run.Decoding.VocabularySize];
    private readonly float[] _scores = run.CreateScores();
    private readonly double[] _normalizers = new double[run.Decoding.Sequences];
    // enough that as many beams can go on when each end token is among them
    private readonly BeamCandidates _candidates = new(Math.Max(2, 1 + run.Options.EndTokens.Count) * run.Options.Beams);

    /// <summary>Runs to the end of all answers.</summary>
    public GeneratedSequence[][] Search()
    {
        var (decoding, beams) = (run.Decoding, run.Copies);
        var groups = new BeamGroup[run.Rooms.Length];
        for (var p = 0; p < groups.Length; p++)
        {
            groups[p] = new BeamGroup(
                run.Options,
                decoding.ContextOf(p * beams),
                run.Rooms[p],
                new StableRandom(run.Options.Seed ?? 0, run.NumberOf(p), 0));
        }

        var results = new GeneratedSequence[groups.Length][];
        var (sources, next) = (new int[decoding.Sequences], new int[decoding.Sequences]);
        for (decoding.Next([], _scores); ; decoding.Next(next, _scores))
        {
            run.Stop.ThrowIfCancellationRequested();
            for (var i = 0; i < sources.Length; i++)
                (sources[i], next[i]) = (i, -1);
            for (var p = 0; p < groups.Length; p++)
            {
                if (groups[p].IsDone)
                    continue;
                Advance(groups[p], p * beams, sources.AsSpan(p * beams, beams), next.AsSpan(p * beams, beams));
                if (groups[p].IsDone)
                    results[p] = Answers(groups[p], p);
            }

            if (groups.All(group => group.IsDone))
                return results;
            decoding.Reorder(sources);
        }
    }

    private void Advance(BeamGroup group, int first, Span<int> sources, Span<int> next)
    {
        _candidates.Clear();
        for (var b = 0; b < group.Beams.Length; b++)
        {
            if (group.Beams[b] is not { } beam)
                continue;
            var scores = _scores.AsSpan((first + b) * _vocabulary, _vocabulary);
            var normalizer = _normalizers[first + b] = GenerationRun.NormalizerOf(scores);
            for (var token = 0; token < _vocabulary; token++)
                _changed[token] = (float)(scores[token] - normalizer);
            _processors.Apply(group.SoFar(beam), _changed);
            for (var token = 0; token < _vocabulary; token++)
            {
                if (_changed[token] == float.NegativeInfinity)
                    continue;
                var score = beam.Score + _changed[token];
                // the largest of log-probabilities with Gumbel noise are draws without putting back
                var rank = run.Options.Sample ? score - Math.Log(-Math.Log(group.Random.Next())) : score;
                if (_candidates.Takes(rank))
                    _candidates.Add(new BeamCandidate(rank, score, b, token));
            }
        }

        group.Advance(
            _candidates.Best,
            EndOf,
            candidate => _scores[(first + candidate.Beam) * _vocabulary + candidate.Token] - _normalizers[first + candidate.Beam],
            sources);
        for (var b = 0; b < sources.Length; b++)
        {
            sources[b] += first;
            next[b] = group.IsDone || group.Beams[b] is not { } beam ? -1 : beam.Tokens[^1];
        }
    }

    private GenerationEnd? EndOf(ArraySegment<int> generated)
    {
        if (run.Ends(generated[^1]))
            return GenerationEnd.EndToken;
        if (run.Options.StopStrings.Count == 0)
            return null;
        var text = run.Decode!(generated);
        return run.Options.StopStrings.Any(stop => text.Contains(stop, StringComparison.Ordinal)) ? GenerationEnd.StopString : null;
    }

    private GeneratedSequence[] Answers(BeamGroup group, int prompt)
    {
        GeneratedSequence[] answers = [.. group.Finished.Select(finished =>
        {
            var tokens = group.Generated(finished.Beam);
            var text = run.CreateText();
            foreach (var token in finished.End == GenerationEnd.EndToken ? tokens.AsSpan(0, tokens.Length - 1) : tokens)
                text.Append(token);
            text.End();
            return new GeneratedSequence(tokens, text.Text, finished.Beam.LogProbability, finished.Score, finished.End);
        })];
        if (answers.Length == 0)
            throw GenerationRun.NothingLeft(prompt);
        for (var s = 0; s < answers.Length; s++)
            run.PieceMade?.Invoke(new GeneratedPiece(prompt, s, answers[s].Tokens, answers[s].Text ?? "", answers[s].End));
        return answers;
    }
}
