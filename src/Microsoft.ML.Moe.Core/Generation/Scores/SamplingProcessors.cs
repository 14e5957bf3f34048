namespace Microsoft.ML.Moe.Generation;

/// <summary>Divides scores.</summary>
internal sealed class Temperature(float temperature) : ScoreProcessor
{
    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        foreach (ref var score in scores)
            score /= temperature;
    }
}

/// <summary>Keeps so many largest scores, and what equals the last of them.</summary>
internal sealed class TopK(int k) : ScoreProcessor
{
    private readonly PriorityQueue<float, float> _queue = new();

    public override void Apply(SequenceSoFar sequence, Span<float> scores)
    {
        if (k >= scores.Length)
            return;
        var least = Probabilities.Largest(scores, k, _queue);
        foreach (ref var score in scores)
            if (score < least)
                score = float.NegativeInfinity;
    }
}
