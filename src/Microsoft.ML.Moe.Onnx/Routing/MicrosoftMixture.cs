using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Routing;

/// <summary>A mixture of experts as ONNX Runtime's operator <c>com.microsoft.MoE</c>, which routes by itself.</summary>
internal static class MicrosoftMixture
{
    public static Value Of(OnnxTape tape, GraphBuilder graph, Value xTD, TracedPlan plan, RoutingPlan of, Experts experts) =>
        throw Unsupported.Operation("MoE");
}
