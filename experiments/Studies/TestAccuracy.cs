using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>Share of rows whose most probable class is their label.</summary>
internal static class TestAccuracy
{
    public static double Of(Model<EncodedText> classifier, IReadOnlyList<Example<EncodedText>> rows)
    {
        var classes = classifier.Outputs;
        var probabilities = new float[rows.Count * classes];
        classifier.Score([.. rows.Select(row => row.Input)], probabilities);
        return rows.Index().Average(row => Predicted(probabilities.AsSpan(row.Index * classes, classes)) == (int)row.Item.Target ? 1.0 : 0.0);
    }

    private static int Predicted(ReadOnlySpan<float> probabilities)
    {
        var best = 0;
        for (var c = 1; c < probabilities.Length; c++)
            if (probabilities[c] > probabilities[best])
                best = c;
        return best;
    }
}
