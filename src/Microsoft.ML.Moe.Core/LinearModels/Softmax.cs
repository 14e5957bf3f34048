using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Probabilities of classes out of scores. Sums are taken in the order of the classes, so that the width of the processor's vectors changes
/// nothing.
/// </summary>
internal static class Softmax
{
    /// <summary>Turns scores into probabilities.</summary>
    /// <returns>The largest score, and the sum of the powers of e of all scores less it.</returns>
    public static (float Largest, double Sum) Of(Span<float> scores)
    {
        var largest = Largest(scores);
        var shift = Vector256.Create(largest);
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        foreach (ref var vector in vectors)
            vector = Vector256.Exp(vector - shift);
        foreach (ref var score in scores[(vectors.Length * Vector256<float>.Count)..])
            score = Vector256.Exp(Vector256.Create(score - largest)).ToScalar();
        var sum = 0.0;
        foreach (var power in scores)
            sum += power;
        var scale = (float)(1 / sum);
        foreach (ref var score in scores)
            score *= scale;
        return (largest, sum);
    }

    /// <summary>Turns scores into logarithms of probabilities.</summary>
    public static void Logarithms(Span<float> scores)
    {
        var largest = Largest(scores);
        var (shift, sum) = (Vector256.Create(largest), 0.0);
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        foreach (var vector in vectors)
        {
            var powers = Vector256.Exp(vector - shift);
            for (var i = 0; i < Vector256<float>.Count; i++)
                sum += powers[i];
        }

        foreach (var score in scores[(vectors.Length * Vector256<float>.Count)..])
            sum += Vector256.Exp(Vector256.Create(score - largest)).ToScalar();
        var logarithm = (float)(largest + Math.Log(sum));
        foreach (ref var score in scores)
            score -= logarithm;
    }

    /// <summary>Puts a·ln max(p, 10⁻³⁰) + b·s in the place of each probability p.</summary>
    /// <param name="probabilities">The probabilities, p.</param>
    /// <param name="a">What their logarithms count.</param>
    /// <param name="scores">As many scores, s.</param>
    /// <param name="b">What the scores count.</param>
    public static void WeighLogarithms(Span<float> probabilities, float a, ReadOnlySpan<float> scores, float b)
    {
        var smallest = Vector256.Create(LinearBranch.SmallestProbability);
        var ps = MemoryMarshal.Cast<float, Vector256<float>>(probabilities);
        var ss = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        for (var i = 0; i < ps.Length; i++)
            ps[i] = Weighed(ps[i], ss[i]);
        for (var i = ps.Length * Vector256<float>.Count; i < probabilities.Length; i++)
            probabilities[i] = Weighed(Vector256.Create(probabilities[i]), Vector256.Create(scores[i])).ToScalar();

        Vector256<float> Weighed(Vector256<float> p, Vector256<float> s) => a * Vector256.Log(Vector256.Max(p, smallest)) + b * s;
    }

    private static float Largest(ReadOnlySpan<float> scores)
    {
        var largest = float.NegativeInfinity;
        foreach (var score in scores)
            largest = Math.Max(largest, score);
        return largest;
    }
}
