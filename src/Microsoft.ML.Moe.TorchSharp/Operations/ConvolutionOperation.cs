using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>A convolution of images whose pixels are rows: libtorch's, which has channels first.</summary>
internal static class ConvolutionOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor x, TorchTensor weight, TorchTensor? bias, ConvolutionSpec spec, torch.ScalarType type)
    {
        var (channels, outputs) = (x.Columns, weight.Columns);
        long images = x.Shape[0] / (spec.Height * spec.Width);
        return tape.Run(() =>
        {
            var imagesBCHW = x.ValueAs(type).reshape(images, spec.Height, spec.Width, channels).permute(0, 3, 1, 2);
            var kernel = weight.ValueAs(type).reshape(spec.Side, spec.Side, channels, outputs).permute(3, 2, 0, 1);
            var padding = spec.Side / 2;
            var result = torch.nn.functional.conv2d(
                imagesBCHW, kernel, bias?.ValueAs(type), [spec.Stride, spec.Stride], [padding, padding], [1, 1], 1);
            return result.permute(0, 2, 3, 1).reshape(images * spec.ResultHeight * spec.ResultWidth, outputs);
        });
    }
}
