using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>The non-linear functions of layers; see <see cref="Activation"/> for what each computes.</summary>
internal static class Activations
{
    public static Value Apply(GraphBuilder graph, Value x, Activation activation) => activation switch
    {
        Activation.None => x,
        Activation.Relu => graph.Each("Relu", x),
        Activation.GeluTanh => Gelu(graph, x, graph.Each("Tanh", graph.Multiply(graph.Number(MathF.Sqrt(2f / MathF.PI)), Cubic(graph, x)))),
        Activation.GeluErf => Gelu(graph, x, graph.Each("Erf", graph.Multiply(graph.Number(MathF.Sqrt(0.5f)), x))),
        Activation.Silu => graph.Multiply(x, graph.Each("Sigmoid", x)),
        Activation.Tanh => graph.Each("Tanh", x),
        Activation.Sigmoid => graph.Each("Sigmoid", x),
        Activation.ClampedSwish => ClampedSwish(graph, graph.Smaller(x, graph.Number(7f))),
        Activation.ClampedIncrement => graph.Add(
            graph.Number(1f), graph.Smaller(graph.Larger(x, graph.Number(-7f)), graph.Number(7f))),
        _ => throw Unsupported.Because($"the activation {activation} is not known to the export"),
    };

    /// <summary>x/2·(1 + part).</summary>
    private static Value Gelu(GraphBuilder graph, Value x, Value part) =>
        graph.Multiply(graph.Multiply(graph.Number(0.5f), x), graph.Add(graph.Number(1f), part));

    /// <summary>x + 0.044715·x³.</summary>
    private static Value Cubic(GraphBuilder graph, Value x) =>
        graph.Add(x, graph.Multiply(graph.Number(0.044715f), graph.Multiply(x, graph.Multiply(x, x))));

    private static Value ClampedSwish(GraphBuilder graph, Value z) =>
        graph.Multiply(z, graph.Each("Sigmoid", graph.Multiply(graph.Number(1.702f), z)));
}
