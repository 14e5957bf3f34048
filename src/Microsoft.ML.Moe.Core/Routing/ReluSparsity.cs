using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The regularisation of ReMoE (arXiv 2412.14711, section 3.3), which holds the experts of a token near k and the experts in balance:
/// <code>
/// loss = λ·mean over tokens Σₑ fₑ·w[t, e],   fₑ = N/(k·T)·tokens with w[t, e] > 0     without gradient
/// λ   ←  λ·α^sign((1 − k/N) − share of zeros)                                          after each step
/// </code>
/// </summary>
/// <param name="expertsPerToken">k, over 0.</param>
/// <param name="lambda">λ at the start, over 0; 1e-8 in the paper.</param>
/// <param name="alpha">α, over 1; 1.2 in the paper.</param>
internal sealed class ReluSparsity(double expertsPerToken, double lambda = 1e-8, double alpha = 1.2)
{
    /// <summary>λ of the next step.</summary>
    public double Lambda { get; private set; } = lambda;

    /// <summary>The loss of one layer.</summary>
    /// <param name="tape">The pass under way.</param>
    /// <param name="weightsP">The pairs' weights.</param>
    /// <param name="plan">The pairs.</param>
    /// <param name="tokens">T, padding left out.</param>
    public Tensor Loss(Tape tape, Tensor weightsP, RoutingPlan plan, int tokens)
    {
        var factorsP = new float[plan.Pairs];
        var pair = 0;
        for (var expert = 0; expert < plan.Experts; expert++)
        {
            var count = plan.TokensOf(expert).Length;
            factorsP.AsSpan(pair, count).Fill((float)(plan.Experts / (expertsPerToken * tokens) * count));
            pair += count;
        }

        var mean = tape.Mean(tape.Multiply(weightsP, tape.Constant(factorsP, plan.Pairs)));
        return tape.Scale(mean, (float)(Lambda * plan.Pairs / Math.Max(1, tokens)));
    }

    /// <summary>The share of zeros among the weights of tokens.</summary>
    public static double Of(long pairs, long tokens, int experts) => tokens == 0 ? 0 : 1 - (double)pairs / (tokens * experts);

    /// <summary>Ends a step, whose pairs and tokens are those of all layers.</summary>
    public void Update(long pairs, long tokens, int experts) =>
        Lambda *= Math.Pow(alpha, Math.Sign(1 - expertsPerToken / experts - Of(pairs, tokens, experts)));
}
