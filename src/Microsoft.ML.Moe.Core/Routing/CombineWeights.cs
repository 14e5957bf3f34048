namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The weights with which a plan's pairs enter the sum over experts, and their gradient. With U a token's scores (<see cref="PairScores"/>)
/// the weight of pair (t, e) is
/// <list type="bullet">
/// <item><see cref="WeightNormalization.None"/>: U[t, e];</item>
/// <item><see cref="WeightNormalization.Selected"/>: U[t, e] over the sum of U[t, ·] at the experts selected for t;</item>
/// <item><see cref="WeightNormalization.All"/>: U[t, e] over the sum of U[t, ·] at all experts;</item>
/// <item>softmax(l)[e] for a token that GW-MoE broadcast to all experts.</item>
/// </list>
/// The sum counts as at least <see cref="CombineRule.SmallestSum"/>. Where it is 0 (all scores underflow) weight and gradient are 0.
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
        Span<float> scores = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        for (var token = first; token < first + count; token++)
        {
            var pairsOfToken = pairs.Of(token);
            if (pairsOfToken.IsEmpty)
                continue;
            var rule = RuleOf(plan, token);
            new PairScores(rule, p, q).Forward(logitsTE.Slice(token * experts, experts), scores);
            var sum = MathF.Max(Sum(rule, scores, pairs, token), rule.SmallestSum);
            foreach (var pair in pairsOfToken)
                weightsP[pair] = sum == 0f ? 0f : scores[pairs.Expert(pair)] / sum;
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
        Span<float> scores = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        Span<float> dU = experts <= MostOnStack ? stackalloc float[experts] : new float[experts];
        for (var token = first; token < first + count; token++)
        {
            var pairsOfToken = pairs.Of(token);
            if (pairsOfToken.IsEmpty)
                continue;
            var rule = RuleOf(plan, token);
            var logits = logitsTE.Slice(token * experts, experts);
            var function = new PairScores(rule, p, q);
            function.Forward(logits, scores);
            var ownSum = Sum(rule, scores, pairs, token);
            var sum = MathF.Max(ownSum, rule.SmallestSum);
            if (sum == 0f)
                continue;

            // w = U/S: dU_j = (dw_j − [j in S]·Σ dw·w)/S; where S is the smallest sum allowed, it has no gradient.
            dU.Clear();
            var mean = 0f;
            foreach (var pair in pairsOfToken)
            {
                dU[pairs.Expert(pair)] = dWeightsP[pair] / sum;
                mean += ownSum < sum ? 0f : dWeightsP[pair] * scores[pairs.Expert(pair)] / sum;
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

            function.Backward(logits, scores, dU, dLogitsTE.Slice(token * experts, experts));
        }
    }

    private static CombineRule RuleOf(RoutingPlan plan, int token) =>
        plan.IsBroadcast(token) ? new CombineRule(0f, WeightNormalization.None) : plan.Weights;

    /// <summary>What the scores of a token's pairs sum to where they are divided by it.</summary>
    private static float Sum(CombineRule rule, ReadOnlySpan<float> scoresE, TokenPairs pairs, int token)
    {
        if (rule.Normalization == WeightNormalization.None)
            return 1f;
        var sum = 0f;
        if (rule.Normalization == WeightNormalization.All)
        {
            foreach (var score in scoresE)
                sum += score;
        }
        else
        {
            foreach (var pair in pairs.Of(token))
                sum += scoresE[pairs.Expert(pair)];
        }

        return sum;
    }
}
