using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Squared error of cosine similarities (Reimers and Gurevych 2019, "Sentence-BERT", section 3, regression objective): the weighted mean
/// over pairs of (cos(u, v) − target)².
/// </summary>
internal static class CosineError
{
    /// <summary>The loss of a batch of pairs.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="uBD">[B, D], of any length.</param>
    /// <param name="vBD">[B, D].</param>
    /// <param name="targets">B finite similarities.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <returns>One element.</returns>
    public static Tensor Loss(
        Tape tape, Tensor uBD, Tensor vBD, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights = default)
    {
        var productsBD = tape.Multiply(tape.Normalize(uBD), tape.Normalize(vBD));
        var ones = new float[uBD.Columns];
        Array.Fill(ones, 1f);
        var cosinesB1 = tape.MultiplyTransposed(productsBD, tape.Constant(ones, 1, ones.Length));
        return tape.SquaredError(cosinesB1, targets, rowWeights);
    }
}
