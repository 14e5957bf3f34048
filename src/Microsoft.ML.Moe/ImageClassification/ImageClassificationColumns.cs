using Microsoft.ML.Moe.Classification;

namespace Microsoft.ML.Moe.ImageClassification;

/// <summary>Names of the columns that a trained image classifier reads and writes.</summary>
/// <param name="Features">Image to classify.</param>
/// <param name="PredictedLabel">Receives the most probable label.</param>
/// <param name="Score">Receives the labels' probabilities.</param>
/// <param name="Uncertainty">Columns about the routers' uncertainty; null when there are none.</param>
internal sealed record ImageClassificationColumns(
    string Features, string PredictedLabel, string Score, UncertaintyColumns? Uncertainty = null)
    : ClassificationColumns(PredictedLabel, Score, Uncertainty);
