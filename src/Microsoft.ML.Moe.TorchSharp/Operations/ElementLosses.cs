using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Losses of each element by itself: Σ over rows of weight·mean over columns. A row without weight has no part.</summary>
internal static class ElementLosses
{
    /// <summary>(value − target)².</summary>
    public static TorchTensor Squared(
        TorchTape tape, TorchTensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        Run(tape, valuesBC, targets, rowWeights, (values, wanted) => values.sub(wanted).square());

    /// <summary>max(l, 0) − l·t + ln(1 + e^−|l|).</summary>
    public static TorchTensor BinaryCrossEntropy(
        TorchTape tape, TorchTensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        Run(tape, logitsBC, targets, rowWeights, (logits, wanted) => torch.nn.functional.softplus(logits).sub(logits.mul(wanted)));

    private static TorchTensor Run(
        TorchTape tape,
        TorchTensor valuesBC,
        ReadOnlySpan<float> targets,
        ReadOnlySpan<float> rowWeights,
        Func<torch.Tensor, torch.Tensor, torch.Tensor> lossOf)
    {
        var (rows, columns) = (valuesBC.Shape[0], valuesBC.Columns);
        var weights = new float[rows];
        RowWeights.Normalize(rowWeights, weights);
        var isUsed = Array.ConvertAll(weights, weight => weight > 0f);
        var wanted = targets.ToArray();
        return tape.Run(() =>
        {
            var lossesB = lossOf(valuesBC.Value, tape.Device.Upload(wanted, [rows, columns])).mean([1]);
            if (isUsed.Contains(false))
                lossesB = torch.where(tape.Device.Upload(isUsed), lossesB, torch.zeros_like(lossesB));
            return lossesB.mul(tape.Device.Upload(weights)).sum().reshape(1);
        });
    }
}
