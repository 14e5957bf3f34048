using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The pairs' weights as a function of the logits; see <see cref="CombineWeights"/>.</summary>
internal static unsafe class CombineWeightsOperation
{
    /// <summary>An exponential takes about as long as reading so many floats.</summary>
    private const int FloatsPerLogit = 16;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, RoutingPlan plan)
    {
        Check.Shape(logitsTE, [plan.Tokens, plan.Experts]);
        Check.Plan(plan);
        var result = tape.Result(logitsTE.RequiresGradient, plan.Pairs);
        _ = plan.ByToken; // before the threads ask for it
        Blocks.RunRows(tape, plan.Tokens, FloatsPerLogit * plan.Experts, (first, count) => CombineWeights.Forward(
            new ReadOnlySpan<float>(logitsTE.Data, logitsTE.Length), plan, new Span<float>(result.Data, result.Length), first, count));
        tape.Record(result, () =>
        {
            var dLogits = logitsTE.GradientToAdd();
            Blocks.RunRows(tape, plan.Tokens, FloatsPerLogit * plan.Experts, (first, count) => CombineWeights.Backward(
                new ReadOnlySpan<float>(logitsTE.Data, logitsTE.Length),
                plan,
                new ReadOnlySpan<float>(result.Gradient, result.Length),
                new Span<float>(dLogits, logitsTE.Length),
                first,
                count));
        });
        return result;
    }
}
