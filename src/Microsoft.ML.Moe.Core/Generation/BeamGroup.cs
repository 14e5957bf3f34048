using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// The beams of one prompt. Source: huggingface/transformers 4.57, generation/utils.py, _beam_search.
/// </summary>
internal sealed class BeamGroup
{
    private readonly GenerationOptions _options;
    private readonly int _context;
    private readonly int _room;
    private readonly List<FinishedBeam> _finished = [];

    /// <summary>Begins with one beam; the others come when it has been continued.</summary>
    /// <param name="options">The options.</param>
    /// <param name="context">Ids before the answer.</param>
    /// <param name="room">Most tokens of an answer.</param>
    /// <param name="random">Random numbers for candidates that are drawn.</param>
    public BeamGroup(GenerationOptions options, ReadOnlySpan<int> context, int room, StableRandom random)
    {
        (_options, _context, _room, Random) = (options, context.Length, room, random);
        Beams = new Beam?[options.Beams];
        Beams[0] = new Beam(context.ToArray(), 0, 0);
    }

    /// <summary>The beams that can be continued; null for none.</summary>
    public Beam?[] Beams { get; private set; }

    /// <summary>Random numbers for candidates that are drawn.</summary>
    public StableRandom Random { get; }

    /// <summary>Whether there is nothing more to find.</summary>
    public bool IsDone { get; private set; }

    /// <summary>A beam as processors of scores see it.</summary>
    public SequenceSoFar SoFar(Beam beam) => new(beam.Tokens, _context, _context + _room);

    /// <summary>Takes the best candidates.</summary>
    /// <param name="candidates">The best of all beams' continuations, best first.</param>
    /// <param name="endOf">Why a beam ends with a candidate, for its generated tokens; null where it goes on.</param>
    /// <param name="logProbabilityOf">The model's own log-probability of a candidate's token.</param>
    /// <param name="sources">Receives for each new beam which one it continues.</param>
    public void Advance(
        ReadOnlySpan<BeamCandidate> candidates,
        Func<ArraySegment<int>, GenerationEnd?> endOf,
        Func<BeamCandidate, double> logProbabilityOf,
        Span<int> sources)
    {
        var open = new List<(Beam Beam, int Source)>();
        for (var rank = 0; rank < candidates.Length; rank++)
        {
            var candidate = candidates[rank];
            var before = Beams[candidate.Beam]!;
            var beam = new Beam([.. before.Tokens, candidate.Token], candidate.Score, before.LogProbability + logProbabilityOf(candidate));
            var generated = new ArraySegment<int>(beam.Tokens, _context, beam.Tokens.Length - _context);
            var end = endOf(generated) ?? (generated.Count >= _room ? GenerationEnd.Length : null);
            if (end is null)
                open.Add((beam, candidate.Beam));
            else if (rank < _options.Beams)
                Finish(beam, end.Value);
        }

        if (_options.Sample)
            open = [.. open.OrderByDescending(b => b.Beam.Score)];
        for (var i = 0; i < Beams.Length; i++)
            (Beams[i], sources[i]) = i < open.Count ? (open[i].Beam, open[i].Source) : (null, i);
        IsDone = Beams[0] is not { } best || (_finished.Count == _options.Beams && !CanImprove(best));
    }

    /// <summary>The best answers.</summary>
    public IEnumerable<FinishedBeam> Finished => _finished.Take(_options.SequencesPerPrompt);

    /// <summary>Generated tokens of a beam.</summary>
    public int[] Generated(Beam beam) => beam.Tokens[_context..];

    private bool CanImprove(Beam best)
    {
        var length = _options.EarlyStopping == EarlyStopping.WhenUnableToImprove && _options.LengthPenalty > 0f
            ? _room
            : best.Tokens.Length - _context;
        return _options.EarlyStopping != EarlyStopping.WhenComplete && ScoreOf(best, length) > _finished[^1].Score;
    }

    private void Finish(Beam beam, GenerationEnd end)
    {
        var score = ScoreOf(beam, beam.Tokens.Length - _context);
        var at = _finished.FindIndex(other => other.Score < score);
        _finished.Insert(at < 0 ? _finished.Count : at, new FinishedBeam(beam, score, end));
        if (_finished.Count > _options.Beams)
            _finished.RemoveAt(_options.Beams);
    }

    private double ScoreOf(Beam beam, int length) => beam.Score / Math.Pow(length, _options.LengthPenalty);
}

/// <summary>A sequence that beam search follows.</summary>
/// <param name="Tokens">Ids of the context and of what was generated.</param>
/// <param name="Score">Sum of the log-probabilities, as processors have changed them.</param>
/// <param name="LogProbability">Sum of the log-probabilities, as the model gives them.</param>
internal sealed record Beam(int[] Tokens, double Score, double LogProbability);

/// <summary>A beam that has ended.</summary>
/// <param name="Beam">The beam.</param>
/// <param name="Score">Its score over the power of its length.</param>
/// <param name="End">Why it ended.</param>
internal sealed record FinishedBeam(Beam Beam, double Score, GenerationEnd End);
