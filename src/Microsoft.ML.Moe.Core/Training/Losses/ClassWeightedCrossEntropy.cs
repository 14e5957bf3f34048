using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Cross-entropy with a weight for each class and smoothed labels: the sum over rows of (1 − ε)·w_y·(−ln p_y) + ε/C·Σ_c w_c·(−ln p_c), divided
/// by the sum of w_y. The weights enter the smoothing, too, which a weight for each row could not say.
/// </summary>
internal static class ClassWeightedCrossEntropy
{
    /// <summary>The loss of a batch.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="logitsBC">[B, C].</param>
    /// <param name="labels">B class numbers below C; rows with a negative one are left out.</param>
    /// <param name="classWeights">C finite weights of at least 0; empty for 1 each.</param>
    /// <param name="labelSmoothing">ε, within [0, 1).</param>
    /// <returns>One element.</returns>
    /// <exception cref="ArgumentException">No row that weighs something is left, or lengths do not fit.</exception>
    public static Tensor Loss(
        Tape tape, Tensor logitsBC, ReadOnlySpan<int> labels, ReadOnlySpan<float> classWeights, float labelSmoothing)
    {
        var (rows, classes) = (labels.Length, logitsBC.Columns);
        Check.Rate(labelSmoothing);
        Check.Shape(logitsBC, [rows, classes]);
        if (!classWeights.IsEmpty && classWeights.Length != classes)
            throw new ArgumentException($"{classWeights.Length} class weights for {classes} classes.", nameof(classWeights));
        var shares = new float[rows * classes];
        var sum = 0.0;
        for (var row = 0; row < rows; row++)
        {
            if (labels[row] < 0)
                continue;
            Check.Indices(labels.Slice(row, 1), classes, nameof(labels));
            for (var c = 0; c < classes; c++)
            {
                var share = labelSmoothing / classes + (c == labels[row] ? 1f - labelSmoothing : 0f);
                shares[row * classes + c] = share * WeightOf(classWeights, c);
            }

            sum += WeightOf(classWeights, labels[row]);
        }

        if (!(sum > 0))
            throw new ArgumentException("No row is left that weighs something.", nameof(labels));
        return tape.Scale(tape.SoftTargetCrossEntropy(logitsBC, shares, []), (float)(rows / sum));
    }

    private static float WeightOf(ReadOnlySpan<float> classWeights, int number) => classWeights.IsEmpty ? 1f : classWeights[number];
}
