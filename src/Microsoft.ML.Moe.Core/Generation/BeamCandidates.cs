namespace Microsoft.ML.Moe.Generation;

/// <summary>The best continuations of a prompt's beams, best first; of equal ones those that came first.</summary>
/// <param name="capacity">How many are kept.</param>
internal sealed class BeamCandidates(int capacity)
{
    private readonly BeamCandidate[] _candidates = new BeamCandidate[capacity];
    private int _count;

    /// <summary>The best ones.</summary>
    public ReadOnlySpan<BeamCandidate> Best => _candidates.AsSpan(0, _count);

    /// <summary>Forgets all.</summary>
    public void Clear() => _count = 0;

    /// <summary>Whether a rank would bring a candidate among the best.</summary>
    public bool Takes(double rank) => _count < _candidates.Length || rank > _candidates[^1].Rank;

    /// <summary>Adds a candidate that <see cref="Takes"/> says yes to.</summary>
    public void Add(BeamCandidate candidate)
    {
        var at = _count < _candidates.Length ? _count++ : _count - 1;
        for (; at > 0 && _candidates[at - 1].Rank < candidate.Rank; at--)
            _candidates[at] = _candidates[at - 1];
        _candidates[at] = candidate;
    }
}

/// <summary>A continuation of a beam by a token.</summary>
/// <param name="Rank">By what it is chosen: the score, and something random where it is drawn.</param>
/// <param name="Score">Sum of the log-probabilities, as processors have changed them.</param>
/// <param name="Beam">Which beam it continues.</param>
/// <param name="Token">The token.</param>
internal readonly record struct BeamCandidate(double Rank, double Score, int Beam, int Token);
