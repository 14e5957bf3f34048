using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Probabilities of scores.</summary>
internal static class Probabilities
{
    // sums in single precision go no further, so that those of large vocabularies stay exact
    private const int Block = 64 * 8;

    /// <summary>log Σ exp(score): what a score lies above its log-probability. −∞ where all are, NaN where one is.</summary>
    public static double LogSumExp(ReadOnlySpan<float> scores)
    {
        var largest = Largest(scores);
        return float.IsFinite(largest) ? largest + Math.Log(SumExp(scores, largest)) : largest;
    }

    /// <summary>Σ exp(score − largest).</summary>
    /// <param name="scores">The scores.</param>
    /// <param name="largest">The largest of them, finite.</param>
    public static double SumExp(ReadOnlySpan<float> scores, float largest)
    {
        var sum = 0.0;
        for (; scores.Length >= Block; scores = scores[Block..])
        {
            var sums = Vector256<float>.Zero;
            foreach (var part in MemoryMarshal.Cast<float, Vector256<float>>(scores[..Block]))
                sums += Vector256.Exp(part - Vector256.Create(largest));
            sum += Vector256.Sum(sums);
        }

        foreach (var score in scores)
            sum += MathF.Exp(score - largest);
        return sum;
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
        var parts = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        var most = Vector256.Create(float.NegativeInfinity);
        foreach (var part in parts)
            most = Vector256.Max(most, part);
        var largest = float.NegativeInfinity;
        for (var i = 0; i < Vector256<float>.Count; i++)
            largest = MathF.Max(largest, most[i]);
        foreach (var score in scores[(parts.Length * Vector256<float>.Count)..])
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
