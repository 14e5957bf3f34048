using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Classification;

/// <summary>Names of the columns that a trained classifier writes.</summary>
/// <param name="PredictedLabel">Receives the most probable label.</param>
/// <param name="Score">Receives the labels' probabilities.</param>
/// <param name="Uncertainty">Columns about the routers' uncertainty; null, and not in files, when there are none.</param>
internal abstract record ClassificationColumns(
    string PredictedLabel,
    string Score,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] UncertaintyColumns? Uncertainty = null)
{
    /// <summary>Checks the columns about uncertainty.</summary>
    /// <param name="entropyOption">What the caller calls <see cref="UncertaintyColumns.Entropy"/>.</param>
    /// <param name="uncertainOption">What the caller calls <see cref="UncertaintyColumns.Uncertain"/>.</param>
    /// <param name="thresholdOption">What the caller calls <see cref="UncertaintyColumns.Threshold"/>.</param>
    /// <exception cref="ArgumentException">A name is empty or taken, or the threshold is impossible.</exception>
    public void CheckUncertainty(string entropyOption, string uncertainOption, string thresholdOption)
    {
        if (Uncertainty is null)
            return;
        var (entropy, uncertain, threshold) = Uncertainty;
        // written so that NaN fails
        if (!(threshold is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(thresholdOption, threshold, $"{thresholdOption} must lie between 0 and 1.");
        CheckName(entropy, entropyOption, PredictedLabel, Score);
        CheckName(uncertain, uncertainOption, PredictedLabel, Score, entropy);
    }

    private static void CheckName(string? name, string option, params ReadOnlySpan<string?> taken)
    {
        if (name is null)
            return;
        if (name.Length == 0)
            throw new ArgumentException($"{option} is empty.", option);
        if (taken.Contains(name))
            throw new ArgumentException($"{option} is '{name}', the name of another column that is added.", option);
    }
}
