using Microsoft.ML.Moe.Tensors.Managed;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>activation(x·W + b).</summary>
internal static class LinearOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor x, TorchTensor weightIO, TorchTensor? bias, Activation activation, torch.ScalarType type)
    {
        Check.AtLeastRank(x, 1);
        Check.Rank(weightIO, 2);
        var (inputs, outputs) = (weightIO.Shape[0], weightIO.Shape[1]);
        if (x.Columns != inputs)
            throw new ArgumentException($"x {Check.Text(x.Shape)} does not fit weightIO {Check.Text(weightIO.Shape)}.", nameof(x));
        if (bias is not null)
            Check.Shape(bias, [outputs]);
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
