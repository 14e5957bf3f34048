namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The weights with which a plan's pairs enter the sum over experts, and their gradient. With l a token's router logits over N
/// experts, P = softmax(l), Q = sigmoid(l)·2/N and U = alpha·Q + (1 − alpha)·P, the weight of pair (t, e) is
/// <list type="bullet">
/// <item><see cref="WeightNormalization.None"/>: U[t, e];</item>
/// <item><see cref="WeightNormalization.Selected"/>: U[t, e] over the sum of U[t, ·] at the experts selected for t;</item>
/// <item><see cref="WeightNormalization.All"/>: U[t, e] over the sum of U[t, ·] at all experts;</item>
/// <item>P[t, e] for a token that GW-MoE broadcast to all experts.</item>
/// </list>
/// Where the sum is 0 (all scores underflow) the weight and its gradient are 0.
/// </summary>
internal static class CombineWeights
{
    /// <summary>Numbers of so many experts lie on the stack: as many as models may have.</summary>
    private const int MostOnStack = 1024;

    /// <summary>Computes the weights of some tokens' pairs. Tokens do not depend on one another.</summary>
    /// <param name="logitsTE">[T, E] router logits, row-major.</param>
    /// <param name="plan">The pairs and the rule of their weights.</param>
    /// <param name="weightsP">Receives one weight for each pair, in the plan's order.</param>
    /// <param name="first">First token.</param>
    /// <param name="count">Number of tokens.</param>
    public static void Forward(ReadOnlySpan<float> logitsTE, RoutingPlan plan, Span<float> weightsP, int first, int count)
    {
        var experts = plan.Experts;
        var pairs = plan.ByToken;
        Span<float> p = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        Span<float> q = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        for (var token = first; token < first + count; token++)
        {
            var pairsOfToken = pairs.Of(token);
            if (pairsOfToken.IsEmpty)
                continue;
            var rule = RuleOf(plan, token);
            Views(rule, logitsTE.Slice(token * experts, experts), p, q);
            var sum = Sum(rule, p, q, pairs, token);
            foreach (var pair in pairsOfToken)
            {
                var score = Score(rule, p, q, pairs.Expert(pair));
                weightsP[pair] = sum == 0f ? 0f : score / sum;
            }
        }
    }

    /// <summary>Adds the gradient with respect to some tokens' logits.</summary>
    /// <param name="logitsTE">[T, E] router logits, row-major.</param>
    /// <param name="plan">The pairs and the rule of their weights.</param>
    /// <param name="dWeightsP">Gradient of each pair's weight.</param>
    /// <param name="dLogitsTE">[T, E], added to.</param>
    /// <param name="first">First token.</param>
    /// <param name="count">Number of tokens.</param>
    public static void Backward(
        ReadOnlySpan<float> logitsTE, RoutingPlan plan, ReadOnlySpan<float> dWeightsP, Span<float> dLogitsTE, int first, int count)
    {
        var experts = plan.Experts;
        var pairs = plan.ByToken;
        Span<float> p = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        Span<float> q = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        Span<float> dU = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        for (var token = first; token < first + count; token++)
        {
            var pairsOfToken = pairs.Of(token);
            if (pairsOfToken.IsEmpty)
                continue;
            var rule = RuleOf(plan, token);
            Views(rule, logitsTE.Slice(token * experts, experts), p, q);
            var sum = Sum(rule, p, q, pairs, token);
            if (sum == 0f)
                continue;

            // w = U/S: dU_j = (dw_j − [j in S]·Σ dw·w)/S.
            dU.Clear();
            var mean = 0f;
            foreach (var pair in pairsOfToken)
            {
                dU[pairs.Expert(pair)] = dWeightsP[pair] / sum;
                mean += dWeightsP[pair] * Score(rule, p, q, pairs.Expert(pair)) / sum;
            }

            if (rule.Normalization == WeightNormalization.All)
            {
                for (var expert = 0; expert < experts; expert++)
                    dU[expert] -= mean / sum;
            }
            else if (rule.Normalization == WeightNormalization.Selected)
            {
                foreach (var pair in pairsOfToken)
                    dU[pairs.Expert(pair)] -= mean / sum;
            }

            // dl = alpha·dU∘Q∘(1 − sigmoid(l)) + (1 − alpha)·P∘(dU − ⟨P, dU⟩).
            var dot = 0f;
            for (var expert = 0; expert < experts; expert++)
                dot += p[expert] * dU[expert];
            var dLogits = dLogitsTE.Slice(token * experts, experts);
            for (var expert = 0; expert < experts; expert++)
            {
                var sigmoid = q[expert] * experts / 2f;
                dLogits[expert] += rule.Alpha * dU[expert] * q[expert] * (1f - sigmoid)
                    + (1f - rule.Alpha) * p[expert] * (dU[expert] - dot);
            }
        }
    }

    private static CombineRule RuleOf(RoutingPlan plan, int token) =>
        plan.IsBroadcast(token) ? new CombineRule(0f, WeightNormalization.None) : plan.Weights;

    private static float Score(CombineRule rule, ReadOnlySpan<float> p, ReadOnlySpan<float> q, int expert) =>
        rule.Alpha * q[expert] + (1f - rule.Alpha) * p[expert];

    private static float Sum(CombineRule rule, ReadOnlySpan<float> p, ReadOnlySpan<float> q, TokenPairs pairs, int token)
    {
        if (rule.Normalization == WeightNormalization.None)
            return 1f;
        var sum = 0f;
        if (rule.Normalization == WeightNormalization.All)
        {
            for (var expert = 0; expert < p.Length; expert++)
                sum += Score(rule, p, q, expert);
        }
        else
        {
            foreach (var pair in pairs.Of(token))
                sum += Score(rule, p, q, pairs.Expert(pair));
        }

        return sum;
    }

    private static void Views(CombineRule rule, ReadOnlySpan<float> logits, Span<float> p, Span<float> q)
    {
        var largest = float.NegativeInfinity;
        foreach (var logit in logits)
            largest = MathF.Max(largest, logit);
        var sum = 0f;
        for (var expert = 0; expert < logits.Length; expert++)
        {
            p[expert] = MathF.Exp(logits[expert] - largest);
            sum += p[expert];
        }

        for (var expert = 0; expert < logits.Length; expert++)
        {
            p[expert] /= sum;
            // the expert's view costs as much as the token's: only where it counts
            q[expert] = rule.Alpha == 0f ? 0f : 2f / logits.Length / (1f + MathF.Exp(-logits[expert]));
        }
    }
}
