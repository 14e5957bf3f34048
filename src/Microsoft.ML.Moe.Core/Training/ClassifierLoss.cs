using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>The loss that a classifier is trained on.</summary>
internal static class ClassifierLoss
{
    /// <summary>
    /// Cross-entropy of the summed scores and, where there are two branches, of each branch by itself, plus the layers' own losses.
    /// Without the branches' own terms the one that learns faster leaves the other without gradient, and their sum is no better than
    /// the faster one; with them it is an ensemble of two good models.
    /// </summary>
    /// <returns>The loss to descend, and its first term, the cross-entropy of the summed scores, to report.</returns>
    public static (Tensor Total, Tensor CrossEntropy) Of(
        Tape tape, ClassifierOutput output, ReadOnlySpan<int> targets, ReadOnlySpan<float> weights, float labelSmoothing)
    {
        var reported = tape.CrossEntropy(output.LogitsBC, targets, weights, labelSmoothing);
        var loss = reported;
        if (output.WideBC is not null)
        {
            var deep = tape.CrossEntropy(output.DeepBC, targets, weights, labelSmoothing);
            loss = tape.Add(loss, tape.Add(deep, tape.CrossEntropy(output.WideBC, targets, weights, labelSmoothing)));
        }

        foreach (var extra in output.AuxiliaryLosses)
            loss = tape.Add(loss, extra);
        return (loss, reported);
    }
}
