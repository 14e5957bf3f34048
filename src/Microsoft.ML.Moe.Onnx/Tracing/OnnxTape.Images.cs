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
        var (channels, outputs, padding) = (x.Columns, weight.Columns, spec.Side / 2);
        var images = graph.Transpose(graph.Reshape(ValueOf(x), -1, spec.Height, spec.Width, channels), 0, 3, 1, 2);
        var kernel = graph.Transpose(graph.Reshape(ValueOf(weight), spec.Side, spec.Side, channels, outputs), 3, 2, 0, 1);
        var result = graph.Node(
            "Conv",
            [images, kernel, bias is null ? null : ValueOf(bias)],
            GraphBuilder.Setting("kernel_shape", spec.Side, spec.Side),
            GraphBuilder.Setting("strides", spec.Stride, spec.Stride),
            GraphBuilder.Setting("pads", padding, padding, padding, padding));
        return new TracedTensor(
            graph.Reshape(graph.Transpose(result, 0, 2, 3, 1), -1, outputs),
            x.Shape[0] / (spec.Height * spec.Width) * spec.ResultHeight * spec.ResultWidth,
            outputs);
    }
}
