using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx.Tracing;

// ONNX has the channels of images first; here they are last, as everywhere in this library.
internal sealed partial class OnnxTape
{
    /// <inheritdoc/>
    protected override Tensor BatchNormCore(
        Tensor x, Tensor gain, Tensor bias, Tensor mean, Tensor variance, float momentum, float epsilon, bool ofBatch) =>
        Like(x, graph.Node(
            "BatchNormalization",
            [ValueOf(x), ValueOf(gain), ValueOf(bias), ValueOf(mean), ValueOf(variance)],
            GraphBuilder.Setting("epsilon", epsilon)));

    /// <inheritdoc/>
    protected override Tensor ConvolutionCore(Tensor x, Tensor weight, Tensor? bias, ConvolutionSpec spec)
    {
        var kernel = graph.Transpose(graph.Reshape(ValueOf(weight), spec.Side, spec.Side, x.Columns, weight.Columns), 3, 2, 0, 1);
        return OverWindows("Conv", x, [kernel, bias is null ? null : ValueOf(bias)], weight.Columns, spec);
    }

    /// <inheritdoc/>
    protected override Tensor MaxPoolCore(Tensor x, ConvolutionSpec spec) => OverWindows("MaxPool", x, [], x.Columns, spec);

    /// <summary>What an operator makes of the windows of images.</summary>
    private TracedTensor OverWindows(string operation, Tensor x, Value?[] others, int outputs, ConvolutionSpec spec)
    {
        var padding = spec.Side / 2;
        var images = graph.Transpose(graph.Reshape(ValueOf(x), -1, spec.Height, spec.Width, x.Columns), 0, 3, 1, 2);
        var result = graph.Node(
            operation,
            [images, .. others],
            GraphBuilder.Setting("kernel_shape", spec.Side, spec.Side),
            GraphBuilder.Setting("strides", spec.Stride, spec.Stride),
            GraphBuilder.Setting("pads", padding, padding, padding, padding));
        return new TracedTensor(
            graph.Reshape(graph.Transpose(result, 0, 2, 3, 1), -1, outputs),
            x.Shape[0] / (spec.Height * spec.Width) * spec.ResultHeight * spec.ResultWidth,
            outputs);
    }
}
