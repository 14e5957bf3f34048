using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>How far the probabilities of two models, or of two passes of one, are from each other.</summary>
internal static class Divergence
{
    /// <summary>
    /// ½·(KL(p‖q) + KL(q‖p)), mean over rows, with p and q the softmax of two passes: what R-Drop adds to the mean of their cross-entropies
    /// (Liang et al. 2021, "R-Drop: regularized dropout for neural networks", equation 3). Gradients flow through both sides of both terms.
    /// </summary>
    /// <remarks>½·Σ_c (p − q)·(ln p − ln q): as p − q sums to 0, the logits can stand for the logarithms.</remarks>
    /// <param name="tape">Records it.</param>
    /// <param name="firstBC">[B, C] logits.</param>
    /// <param name="secondBC">[B, C] logits.</param>
    /// <returns>One element.</returns>
    public static Tensor Symmetric(Tape tape, Tensor firstBC, Tensor secondBC)
    {
        var probabilitiesBC = tape.Add(tape.Softmax(firstBC), tape.Scale(tape.Softmax(secondBC), -1f));
        var logitsBC = tape.Add(firstBC, tape.Scale(secondBC, -1f));
        return tape.Scale(tape.Mean(tape.Multiply(probabilitiesBC, logitsBC)), 0.5f * firstBC.Columns);
    }

    /// <summary>
    /// Distillation: T²·KL(teacher‖student), mean over rows, both at temperature T (Hinton et al. 2015, "Distilling the knowledge in a neural
    /// network", section 2).
    /// </summary>
    /// <param name="tape">Records it.</param>
    /// <param name="studentBC">[B, C] logits.</param>
    /// <param name="teacher">B·C finite logits of the teacher, row-major.</param>
    /// <param name="temperature">T, over 0.</param>
    /// <returns>One element.</returns>
    public static Tensor FromTeacher(Tape tape, Tensor studentBC, ReadOnlySpan<float> teacher, float temperature)
    {
        OptionCheck.Positive(temperature, nameof(temperature));
        Check.Rank(studentBC, 2);
        if (teacher.Length != studentBC.Length)
        {
            throw new ArgumentException(
                $"{teacher.Length} logits of the teacher for {Check.Text(studentBC.Shape)} of the student.", nameof(teacher));
        }

        var classes = studentBC.Columns;
        var shares = new float[teacher.Length];
        var negativeEntropy = 0.0;
        for (var start = 0; start < teacher.Length; start += classes)
            negativeEntropy += Softmax(teacher.Slice(start, classes), temperature, shares.AsSpan(start, classes));
        var crossEntropy = tape.SoftTargetCrossEntropy(tape.Scale(studentBC, 1f / temperature), shares, []);
        var divergence = tape.Add(crossEntropy, tape.Constant([(float)(negativeEntropy / Math.Max(1, studentBC.Shape[0]))], 1));
        return tape.Scale(divergence, temperature * temperature);
    }

    /// <returns>Σ p·ln p.</returns>
    private static double Softmax(ReadOnlySpan<float> logits, double temperature, Span<float> shares)
    {
        var largest = double.NegativeInfinity;
        foreach (var logit in logits)
            largest = Math.Max(largest, logit);
        var sum = 0.0;
        foreach (var logit in logits)
            sum += Math.Exp((logit - largest) / temperature);
        var negativeEntropy = 0.0;
        for (var i = 0; i < logits.Length; i++)
        {
            var logarithm = (logits[i] - largest) / temperature - Math.Log(sum);
            shares[i] = (float)Math.Exp(logarithm);
            negativeEntropy += Math.Exp(logarithm) * logarithm;
        }

        return negativeEntropy;
    }
}
