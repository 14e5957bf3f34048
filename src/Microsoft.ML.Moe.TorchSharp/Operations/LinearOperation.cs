using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>activation(x·W + b).</summary>
internal static class LinearOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor x, TorchTensor weightIO, TorchTensor? bias, Activation activation, torch.ScalarType type)
    {
        var (inputs, outputs) = (weightIO.Shape[0], weightIO.Shape[1]);
        var shape = DeviceMemory.Sizes([.. x.Shape[..^1], outputs]);
        var rows = 1L;
        foreach (var size in shape[..^1])
            rows *= size;
        return tape.Run(() =>
        {
            var rowsRI = x.ValueAs(type).reshape(rows, inputs);
            var sumRO = bias is null ? rowsRI.mm(weightIO.ValueAs(type)) : bias.ValueAs(type).addmm(rowsRI, weightIO.ValueAs(type));
            return sumRO.Apply(activation).reshape(shape);
        });
    }
}
