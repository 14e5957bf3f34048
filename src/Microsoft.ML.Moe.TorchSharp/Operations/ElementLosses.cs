using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Losses of each element by itself: Σ over rows of weight·mean over columns. A row without weight has no part.</summary>
internal static class ElementLosses
{
    /// <summary>(value − target)².</summary>
    public static TorchTensor Squared(
        TorchTape tape, TorchTensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        Run(tape, valuesBC, targets, rowWeights, (values, wanted) => values.sub(wanted).Squared());

    /// <summary>max(l, 0) − l·t + ln(1 + e^−|l|).</summary>
    public static TorchTensor BinaryCrossEntropy(
        TorchTape tape, TorchTensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights) =>
        Run(tape, logitsBC, targets, rowWeights, (logits, wanted) => torch.nn.functional.softplus(logits).sub(logits.mul(wanted)));

    /// <summary>With d = value − target: d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), so c·(|d| − c/2) with c = min(|d|, δ).</summary>
    public static TorchTensor Huber(
        TorchTape tape, TorchTensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float delta) =>
        Run(tape, valuesBC, targets, rowWeights, (values, wanted) =>
        {
            var distances = values.sub(wanted).abs();
            var cut = distances.clamp(max: Scalars.Of(delta));
            return cut.mul(distances.sub(cut.mul(Scalars.Of(0.5f))));
        });

    /// <summary>max(q·d, (q − 1)·d) with d = target − value and the column's q.</summary>
    public static TorchTensor Quantile(
        TorchTape tape, TorchTensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float[] quantiles) =>
        Run(tape, valuesBC, targets, rowWeights, (values, wanted) =>
        {
            var quantilesC = tape.Device.Upload(quantiles);
            var distances = wanted.sub(values);
            return torch.maximum(distances.mul(quantilesC), distances.mul(quantilesC.sub(Scalars.Of(1f))));
        });

    /// <summary>a·m^γ·(binary cross-entropy) with m the probability that the target lacks.</summary>
    public static TorchTensor BinaryFocal(
        TorchTape tape, TorchTensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float gamma, float? alpha) =>
        Run(tape, logitsBC, targets, rowWeights, (logits, wanted) =>
        {
            var entropy = torch.nn.functional.softplus(logits).sub(logits.mul(wanted));
            var unwanted = wanted.neg().Plus(1f);
            var missing = wanted.mul(logits.neg().sigmoid()).Plus(unwanted.mul(logits.sigmoid()));
            var loss = missing.PowerOfMissing(gamma).mul(entropy);
            return alpha is { } share ? loss.mul(wanted.mul(Scalars.Of(share)).Plus(unwanted.mul(Scalars.Of(1f - share)))) : loss;
        });

    /// <summary>m^γ of probabilities; from below 1e-30 no gradient flows, which would be infinite for a γ below 1.</summary>
    public static torch.Tensor PowerOfMissing(this torch.Tensor missing, float gamma) =>
        missing.clamp(min: Scalars.Of(1e-30f)).pow(Scalars.Of(gamma));

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
