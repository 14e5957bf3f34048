namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Weighted means of −Σ_c q_c·ln softmax(logits)_c.</summary>
internal static class CrossEntropyOperation
{
    /// <summary>q = (1 − s)·oneHot + s/C.</summary>
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
                expectedB = expectedB.mul(Scalars.Of(1f - labelSmoothing)).Plus(logProbabilitiesBC.sum(dim: 1).mul(Scalars.Of(labelSmoothing / classes)));
            return expectedB.mul(tape.Device.Upload(weights)).sum().mul(Scalars.Of(-1f)).reshape(1);
        });
    }

    /// <summary>−m^γ·ln p with p the target's softmax and m = 1 − p.</summary>
    public static TorchTensor Focal(
        TorchTape tape, TorchTensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float gamma)
    {
        var weights = new float[targets.Length];
        RowWeights.Normalize(rowWeights, weights);
        var targetsB = targets.ToArray();
        return tape.Run(() =>
        {
            var logarithmsB = logitsBC.Value.log_softmax(1).gather(1, tape.Device.Upload(targetsB).unsqueeze(1)).squeeze(1);
            var lossesB = logarithmsB.expm1().neg().PowerOfMissing(gamma).mul(logarithmsB);
            return lossesB.mul(tape.Device.Upload(weights)).sum().mul(Scalars.Of(-1f)).reshape(1);
        });
    }

    /// <summary>q as given; where it is 0, logits of −∞ have no part.</summary>
    public static TorchTensor SoftTargets(
        TorchTape tape, TorchTensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights)
    {
        var (rows, classes) = (logitsBC.Shape[0], logitsBC.Columns);
        var weights = new float[rows];
        RowWeights.Normalize(rowWeights, weights);
        var weighted = targets.ToArray();
        for (var i = 0; i < weighted.Length; i++)
            weighted[i] *= weights[i / classes];
        return tape.Run(() =>
        {
            var weightedBC = tape.Device.Upload(weighted, [rows, classes]);
            var logProbabilitiesBC = logitsBC.Value.log_softmax(1).masked_fill(weightedBC.eq(Scalars.Of(0f)), Scalars.Of(0f));
            return weightedBC.mul(logProbabilitiesBC).sum().mul(Scalars.Of(-1f)).reshape(1);
        });
    }
}
