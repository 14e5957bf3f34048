using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Routing;

/// <summary>
/// A mixture of experts as ONNX Runtime's operator <c>com.microsoft.MoE</c>, which routes by itself: softmax over the logits, the k
/// largest, each with its probability, or that divided by the sum over the chosen.
/// </summary>
/// <param name="graph">Receives the node.</param>
/// <param name="tape">Has the weights.</param>
internal sealed class MicrosoftMixture(GraphBuilder graph, OnnxTape tape)
{
    /// <summary>What the experts make of tokens.</summary>
    /// <param name="x">[T, D].</param>
    /// <param name="logits">[T, E].</param>
    /// <param name="policy">Chooses.</param>
    /// <param name="experts">The experts.</param>
    /// <returns>[T, D].</returns>
    /// <exception cref="NotSupportedException">The operator cannot do that.</exception>
    public Value Of(Value x, Value logits, RoutingPolicy policy, Experts experts)
    {
        if (policy is GlobalWorkspace workspace)
            policy = workspace.Inner;
        if (policy is not TokenChoice { ScoreFunction: ScoreFunction.Softmax, Groups: null, SkipThreshold: 0, SmallestSum: 0 } choice)
            throw Refused("routes by Token Choice over softmax alone, without capacity, groups and skipping");
        if (experts.Gate is not null)
            throw Refused("has no gate in experts on the CPU");
        return graph.MicrosoftNode(
            "MoE",
            [
                x,
                logits,
                Transposed(experts.W1),
                experts.B1 is null ? null : tape.ValueOf(experts.B1),
                Transposed(experts.W2),
                experts.B2 is null ? null : tape.ValueOf(experts.B2),
            ],
            GraphBuilder.Setting("k", (long)choice.ExpertsPerToken),
            GraphBuilder.Setting("activation_type", NameOf(experts.Activation)),
            GraphBuilder.Setting("normalize_routing_weights", choice.Weights.Normalization == WeightNormalization.Selected ? 1L : 0L));
    }

    /// <summary>What this operator cannot do.</summary>
    /// <param name="reason">Continues "the operator …".</param>
    public static NotSupportedException Refused(string reason) => Unsupported.Because(
        $"the operator {GraphBuilder.MicrosoftDomain}.MoE {reason}",
        $"Choose {nameof(OnnxOptions)}.{nameof(OnnxOptions.Operators)} = {nameof(OnnxOperators)}.{nameof(OnnxOperators.Portable)}");

    private static string NameOf(Activation activation) => activation switch
    {
        Activation.None => "identity",
        Activation.Relu => "relu",
        Activation.Silu => "silu",
        Activation.GeluTanh => "gelu",
        _ => throw Refused($"has no activation {activation}"),
    };

    /// <summary>Stacked matrices [E, I, O] as [E, O, I].</summary>
    private Value Transposed(Tensor weightEIO) => graph.Constant(
        $"{tape.NameOf(weightEIO)}.transposed",
        [weightEIO.Shape[0], weightEIO.Shape[2], weightEIO.Shape[1]],
        TensorParts.OfTransposed(weightEIO));
}
