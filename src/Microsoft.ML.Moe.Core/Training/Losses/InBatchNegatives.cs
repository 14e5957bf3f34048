using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Multiple negatives ranking (Henderson et al. 2017, "Efficient natural language response suggestion", section 4; InfoNCE of van den Oord et
/// al. 2018): each anchor is to find its own positive among the positives, and negatives, of the whole batch. Cross-entropy of the scores
/// scale·cos(anchor, candidate), mean over the anchors.
/// </summary>
internal static class InBatchNegatives
{
    /// <summary>The loss of a batch.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="anchorsBD">[B, D], of any length.</param>
    /// <param name="positivesBD">[B, D]: the i-th belongs to the i-th anchor.</param>
    /// <param name="negativesND">[N, D]: further candidates of every anchor; null for none.</param>
    /// <param name="scale">Inverse temperature of the scores, over 0.</param>
    /// <param name="isSymmetric">Whether positives are to find their anchors among the anchors as well; the mean of both.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <returns>One element.</returns>
    public static Tensor Loss(
        Tape tape,
        Tensor anchorsBD,
        Tensor positivesBD,
        Tensor? negativesND = null,
        float scale = 20f,
        bool isSymmetric = false,
        ReadOnlySpan<float> rowWeights = default)
    {
        OptionCheck.Positive(scale, nameof(scale));
        Check.Shape(positivesBD, anchorsBD.Shape);
        var own = Enumerable.Range(0, anchorsBD.Shape[0]).ToArray();
        var (anchors, positives) = (tape.Normalize(anchorsBD), tape.Normalize(positivesBD));
        var scores = tape.MultiplyTransposed(anchors, positives);
        if (negativesND is not null)
            scores = tape.Concat(scores, tape.MultiplyTransposed(anchors, tape.Normalize(negativesND)));
        var loss = tape.CrossEntropy(tape.Scale(scores, scale), own, rowWeights);
        if (!isSymmetric)
            return loss;
        var back = tape.CrossEntropy(tape.Scale(tape.MultiplyTransposed(positives, anchors), scale), own, rowWeights);
        return tape.Scale(tape.Add(loss, back), 0.5f);
    }
}
