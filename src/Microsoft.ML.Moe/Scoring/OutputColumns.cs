using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>The columns that a model adds to a table: what its task is.</summary>
internal abstract class OutputColumns
{
    /// <summary>Adds the columns to a schema.</summary>
    /// <param name="builder">Takes the columns, after those of the table.</param>
    /// <param name="input">The schema before scoring.</param>
    public abstract void AddTo(DataViewSchema.Builder builder, DataViewSchema input);

    /// <summary>Whether the routers' entropy has to be measured for the columns that are wanted.</summary>
    /// <param name="active">For each added column whether it is wanted.</param>
    public virtual bool NeedsEntropy(ReadOnlySpan<bool> active) => false;

    /// <summary>Creates the getter of an added column.</summary>
    /// <param name="column">Number of the column among those added.</param>
    /// <param name="results">What the model has given.</param>
    /// <param name="current">Makes sure that the current row is scored, and tells its place among those that were scored at once.</param>
    public abstract Delegate CreateGetter(int column, RowResults results, Func<int> current);
}

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
        OptionCheck.Range(threshold, 0, 1, thresholdOption);
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

/// <summary>Optional columns that tell how unsure the routers are about a row; at least one of them is there.</summary>
/// <param name="Entropy">Receives mean and largest router entropy, or null.</param>
/// <param name="Uncertain">Receives whether the row is uncertain, or null.</param>
/// <param name="Threshold">From which mean entropy a row is uncertain, as a share of the largest possible, ln N.</param>
internal sealed record UncertaintyColumns(string? Entropy, string? Uncertain, double Threshold)
{
    /// <summary>The columns, null when neither is wanted.</summary>
    public static UncertaintyColumns? Of(string? entropy, string? uncertain, double threshold) =>
        entropy is null && uncertain is null ? null : new UncertaintyColumns(entropy, uncertain, threshold);
}
