namespace Microsoft.ML.Moe.Generation;

/// <summary>Probabilities of scores.</summary>
internal static class Probabilities
{
    /// <summary>log Σ exp(score): what a score lies above its log-probability. −∞ where all are, NaN where one is.</summary>
    public static double LogSumExp(ReadOnlySpan<float> scores)
    {
        var largest = Largest(scores);
        if (!float.IsFinite(largest))
            return largest;
        var sum = 0.0;
        foreach (var score in scores)
            sum += MathF.Exp(score - largest);
        return largest + Math.Log(sum);
    }

    /// <summary>Entropy of the probabilities, in nats.</summary>
    /// <param name="scores">The scores.</param>
    /// <param name="normalizer">Their <see cref="LogSumExp"/>.</param>
    public static double Entropy(ReadOnlySpan<float> scores, double normalizer)
    {
        var entropy = 0.0;
        foreach (var score in scores)
            if (score > float.NegativeInfinity)
                entropy -= Math.Exp(score - normalizer) * (score - normalizer);
        return entropy;
    }

    /// <summary>The largest score; NaN where one is.</summary>
    public static float Largest(ReadOnlySpan<float> scores)
    {
        var largest = float.NegativeInfinity;
        foreach (var score in scores)
            largest = MathF.Max(largest, score);
        return largest;
    }

    /// <summary>The k-th largest score.</summary>
    /// <param name="scores">The scores.</param>
    /// <param name="k">Within [1, number of scores].</param>
    /// <param name="queue">Memory.</param>
    public static float Largest(ReadOnlySpan<float> scores, int k, PriorityQueue<float, float> queue)
    {
        queue.Clear();
        foreach (var score in scores[..k])
            queue.Enqueue(score, score);
        var least = queue.Peek();
        foreach (var score in scores[k..])
            if (score > least)
            {
                queue.EnqueueDequeue(score, score);
                least = queue.Peek();
            }

        return least;
    }
}
