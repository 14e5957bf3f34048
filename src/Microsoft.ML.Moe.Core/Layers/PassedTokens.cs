using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// The tokens that a plan lets pass a MoE layer without an expert: they give their own vector times a probability of the router,
/// <list type="bullet">
/// <item>p of its first choice for a token that a capacity left without experts (<see cref="DroppedTokens.PassThrough"/>);</item>
/// <item>p of the last expert for a token that was broadcast (<see cref="GlobalWorkspaceRule.AsReleased"/>).</item>
/// </list>
/// </summary>
internal static class PassedTokens
{
    /// <summary>What they give, zeros for the others; null where none passes.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="xTD">[T, D] the layer's input.</param>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="plan">The plan.</param>
    /// <returns>[T, D].</returns>
    public static Tensor? Of(Tape tape, Tensor xTD, Tensor logitsTE, RoutingPlan plan)
    {
        var experts = plan.Experts;
        var pairs = plan.ByToken;
        float[]? logits = null;
        float[]? factorsTE = null;
        for (var token = 0; token < plan.Tokens; token++)
        {
            int expert;
            if (plan.IsBroadcast(token))
            {
                if (!plan.PassesBroadcast)
                    continue;
                expert = experts - 1;
            }
            else
            {
                if (!plan.PassesDropped || !pairs.Of(token).IsEmpty)
                    continue;
                logits ??= logitsTE.ToArray();
                expert = LoadBalancingLoss.FirstChoice(logits.AsSpan(token * experts, experts));
            }

            factorsTE ??= new float[plan.Tokens * experts];
            factorsTE[token * experts + expert] = 1f;
        }

        if (factorsTE is null)
            return null;
        // the one probability of each token in all columns: a product with ones
        var chosenTE = tape.Multiply(tape.Softmax(logitsTE), tape.Constant(factorsTE, plan.Tokens, experts));
        var ones = tape.Constant([.. Enumerable.Repeat(1f, experts * xTD.Columns)], experts, xTD.Columns);
        return tape.Multiply(xTD, tape.Linear(chosenTE, ones));
    }
}
