using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Supervised contrastive loss (Khosla et al. 2020, "Supervised contrastive learning", equation 2, L_out): with z = x/|x|, the mean over the
/// anchors i that have a positive, another row of their class, of −1/|P(i)| Σ_{p∈P(i)} ln(e^(z_i·z_p/τ) / Σ_{a≠i} e^(z_i·z_a/τ)). Anchors
/// without a positive are left out of the mean but stay in the denominators of the others.
/// </summary>
internal static class SupervisedContrast
{
    /// <summary>What is added to an anchor's similarity with itself: far below every other, and finite.</summary>
    private const float Excluded = -1e30f;

    /// <summary>The loss of a batch.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="embeddingsBD">[B, D], of any length.</param>
    /// <param name="classes">B class numbers.</param>
    /// <param name="temperature">τ, over 0; 0.07 in the paper.</param>
    /// <param name="rowWeights">B weights of the anchors, at least 0; empty for 1 each.</param>
    /// <returns>One element; 0 where no anchor that weighs something has a positive.</returns>
    public static Tensor Loss(
        Tape tape, Tensor embeddingsBD, ReadOnlySpan<int> classes, float temperature, ReadOnlySpan<float> rowWeights = default)
    {
        var rows = classes.Length;
        OptionCheck.Positive(temperature, nameof(temperature));
        Check.Shape(embeddingsBD, [rows, embeddingsBD.Columns]);
        RowWeights.Validate(rowWeights, rows, nameof(SupervisedContrast));
        var (shares, weights, self) = (new float[rows * rows], new float[rows], new float[rows * rows]);
        var counts = new Dictionary<int, int>();
        foreach (var number in classes)
            counts[number] = counts.GetValueOrDefault(number) + 1;
        for (var anchor = 0; anchor < rows; anchor++)
        {
            self[anchor * rows + anchor] = Excluded;
            var positives = counts[classes[anchor]] - 1;
            weights[anchor] = positives == 0 ? 0f : rowWeights.IsEmpty ? 1f : rowWeights[anchor];
            for (var other = 0; other < rows; other++)
            {
                if (other != anchor && classes[other] == classes[anchor])
                    shares[anchor * rows + other] = 1f / positives;
            }
        }

        var unitBD = tape.Normalize(embeddingsBD);
        var scoresBB = tape.Scale(tape.MultiplyTransposed(unitBD, unitBD), 1f / temperature);
        var othersBB = tape.Add(scoresBB, tape.Constant(self, rows, rows));
        if (weights.All(weight => weight == 0f))
            return tape.Scale(tape.SoftTargetCrossEntropy(othersBB, shares, []), 0f);
        return tape.SoftTargetCrossEntropy(othersBB, shares, weights);
    }
}
