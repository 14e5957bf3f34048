using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Convolutions and pools over windows of images whose pixels are rows: libtorch's, which have channels first.</summary>
internal static class ConvolutionOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor x, TorchTensor weight, TorchTensor? bias, ConvolutionSpec spec, torch.ScalarType type) => tape.Run(() =>
    {
        var kernel = weight.ValueAs(type).reshape(spec.Side, spec.Side, x.Columns, weight.Columns).permute(3, 2, 0, 1);
        var padding = spec.Side / 2;
        return Rows(torch.nn.functional.conv2d(
            ChannelsFirst(x.ValueAs(type), spec), kernel, bias?.ValueAs(type), [spec.Stride, spec.Stride], [padding, padding], [1, 1], 1));
    });

    /// <summary>The largest value of each window.</summary>
    public static TorchTensor MaxPool(TorchTape tape, TorchTensor x, ConvolutionSpec spec) => tape.Run(() =>
    {
        var images = ChannelsFirst(x.Value, spec);
        // libtorch refuses a batch of none
        return x.Shape[0] == 0
            ? x.Value.reshape(0, x.Columns).clone()
            : Rows(torch.nn.functional.max_pool2d(images, spec.Side, spec.Stride, spec.Side / 2));
    });

    private static torch.Tensor ChannelsFirst(torch.Tensor x, ConvolutionSpec spec) =>
        x.reshape(x.shape[0] / (spec.Height * spec.Width), spec.Height, spec.Width, x.shape[1]).permute(0, 3, 1, 2);

    private static torch.Tensor Rows(torch.Tensor imagesBCHW)
    {
        var shape = imagesBCHW.shape;
        return imagesBCHW.permute(0, 2, 3, 1).reshape(shape[0] * shape[2] * shape[3], shape[1]);
    }
}
