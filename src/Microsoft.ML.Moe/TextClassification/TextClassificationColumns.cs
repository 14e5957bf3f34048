using Microsoft.ML.Moe.Classification;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>Names of the columns that a trained text classifier reads and writes.</summary>
/// <param name="Sentence1">Text to classify.</param>
/// <param name="Sentence2">Second text of a pair, or null.</param>
/// <param name="PredictedLabel">Receives the most probable label.</param>
/// <param name="Score">Receives the labels' probabilities.</param>
/// <param name="Uncertainty">Columns about the routers' uncertainty; null when there are none.</param>
internal sealed record TextClassificationColumns(
    string Sentence1, string? Sentence2, string PredictedLabel, string Score, UncertaintyColumns? Uncertainty = null)
    : ClassificationColumns(PredictedLabel, Score, Uncertainty);
