using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The pairs' weights as a function of the logits; see <see cref="CombineWeights"/>.</summary>
internal static unsafe class CombineWeightsOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, RoutingPlan plan)
    {
        Check.Shape(logitsTE, [plan.Tokens, plan.Experts]);
        Check.Plan(plan);
        var result = tape.Result(logitsTE.RequiresGradient, plan.Pairs);
        CombineWeights.Forward(
            new ReadOnlySpan<float>(logitsTE.Data, logitsTE.Length), plan, new Span<float>(result.Data, result.Length));
        tape.Record(result, () => CombineWeights.Backward(
            new ReadOnlySpan<float>(logitsTE.Data, logitsTE.Length),
            plan,
            new ReadOnlySpan<float>(result.Gradient, result.Length),
            new Span<float>(logitsTE.GradientToAdd(), logitsTE.Length)));
        return result;
    }
}
