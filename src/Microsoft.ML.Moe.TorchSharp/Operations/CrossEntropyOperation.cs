namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Weighted mean of −Σ_c q_c·ln softmax(logits)_c with q = (1 − s)·oneHot + s/C.</summary>
internal static class CrossEntropyOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing)
    {
        var classes = logitsBC.Columns;
        var weights = new float[targets.Length];
        RowWeights.Normalize(rowWeights, weights);
        var targetsB = targets.ToArray();
        return tape.Run(() =>
        {
            var logProbabilitiesBC = logitsBC.Value.log_softmax(1);
            var expectedB = logProbabilitiesBC.gather(1, tape.Device.Upload(targetsB).unsqueeze(1)).squeeze(1);
            if (labelSmoothing > 0f)
                expectedB = expectedB.mul(Scalars.Of(1f - labelSmoothing)).add(logProbabilitiesBC.sum(dim: 1).mul(Scalars.Of(labelSmoothing / classes)));
            return expectedB.mul(tape.Device.Upload(weights)).sum().mul(Scalars.Of(-1f)).reshape(1);
        });
    }
}
