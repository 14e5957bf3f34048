using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The pairs' weights as a function of the logits; see <see cref="CombineWeights"/>.</summary>
internal readonly unsafe struct CombineWeightsOperation(ManagedTensor logitsTE, RoutingPlan plan, ManagedTensor result) : IOperation
{
    /// <summary>An exponential takes about as long as reading so many floats.</summary>
    private const int FloatsPerLogit = 16;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor logitsTE, RoutingPlan plan)
    {
        var result = tape.Result(logitsTE.RequiresGradient, plan.Pairs);
        _ = plan.ByToken; // before the threads ask for it
        Blocks.RunRows(tape, plan.Tokens, FloatsPerLogit * plan.Experts, new Weights(logitsTE.Data, plan, result.Data));
        tape.Record(result, new CombineWeightsOperation(logitsTE, plan, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var body = new Gradient(logitsTE.Data, plan, result.Gradient, logitsTE.GradientToAdd());
        Blocks.RunRows(tape, plan.Tokens, FloatsPerLogit * plan.Experts, body);
    }

    private readonly struct Weights(float* logitsTE, RoutingPlan plan, float* weightsP) : IBlockBody
    {
        public void Run(int first, int count) => CombineWeights.Forward(
            new ReadOnlySpan<float>(logitsTE, plan.Tokens * plan.Experts), plan, new Span<float>(weightsP, plan.Pairs), first, count);
    }

    private readonly struct Gradient(float* logitsTE, RoutingPlan plan, float* dWeightsP, float* dLogitsTE) : IBlockBody
    {
        public void Run(int first, int count) => CombineWeights.Backward(
            new ReadOnlySpan<float>(logitsTE, plan.Tokens * plan.Experts),
            plan,
            new ReadOnlySpan<float>(dWeightsP, plan.Pairs),
            new Span<float>(dLogitsTE, plan.Tokens * plan.Experts),
            first,
            count);
    }
}
