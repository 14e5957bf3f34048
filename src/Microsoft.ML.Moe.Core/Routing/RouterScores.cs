using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Routing;

/// <summary>The router's views of its logits for one token, computed in double precision.</summary>
internal static class RouterScores
{
    // Neither is inlined: within a policy's own loop their calls of exp were measured to take twice as long.

    /// <summary>P = softmax(l) over experts: the token's view.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Softmax(ReadOnlySpan<float> logitsE, Span<double> probabilitiesE)
    {
        var largest = double.NegativeInfinity;
        foreach (var logit in logitsE)
            largest = Math.Max(largest, logit);
        var sum = 0.0;
        for (var e = 0; e < logitsE.Length; e++)
            sum += probabilitiesE[e] = Math.Exp(logitsE[e] - largest);
        for (var e = 0; e < logitsE.Length; e++)
            probabilitiesE[e] /= sum;
    }

    /// <summary>What a score function makes of logits; of <see cref="ScoreFunction.SparseMixer"/> the softmax, by which it chooses.</summary>
    public static void Of(ScoreFunction function, ReadOnlySpan<float> logitsE, Span<double> scoresE)
    {
        if (function is ScoreFunction.Softmax or ScoreFunction.SparseMixer)
        {
            Softmax(logitsE, scoresE);
            return;
        }

        for (var e = 0; e < logitsE.Length; e++)
            scoresE[e] = function == ScoreFunction.Sigmoid ? 1 / (1 + Math.Exp(-logitsE[e])) : Math.Max(logitsE[e], 0);
    }

    /// <summary>P of one expert.</summary>
    public static double Probability(ReadOnlySpan<float> logitsE, int expert)
    {
        var largest = double.NegativeInfinity;
        foreach (var logit in logitsE)
            largest = Math.Max(largest, logit);
        var sum = 0.0;
        foreach (var logit in logitsE)
            sum += Math.Exp(logit - largest);
        return Math.Exp(logitsE[expert] - largest) / sum;
    }

    /// <summary>Q = sigmoid(l)·2/N: the expert's view; l = 0 gives 1/N.</summary>
    public static double Sigmoid(float logit, int experts) => 2.0 / experts / (1 + Math.Exp(-logit));

    /// <summary>U = alpha·Q + (1 − alpha)·P: USMoE's unified score.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Unified(ReadOnlySpan<float> logitsE, double alpha, Span<double> scoresE)
    {
        Softmax(logitsE, scoresE);
        for (var e = 0; e < logitsE.Length; e++)
            scoresE[e] = alpha * Sigmoid(logitsE[e], logitsE.Length) + (1 - alpha) * scoresE[e];
    }
}
