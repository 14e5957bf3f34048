namespace Microsoft.ML.Moe.Sweeps;

/// <summary>What is averaged.</summary>
internal enum AverageKind
{
    /// <summary>Probabilities of classes.</summary>
    Classes,

    /// <summary>Probabilities of true.</summary>
    Binary,

    /// <summary>Numbers.</summary>
    Value,
}

/// <summary>Names of the columns that an average reads and writes.</summary>
/// <param name="Kind">What is averaged.</param>
/// <param name="Inputs">Columns of the members: <see cref="AverageKind.Binary"/> probabilities, else scores.</param>
/// <param name="Score">Receives the mean, or its log-odds.</param>
/// <param name="PredictedLabel">Receives the most probable label; the members' own is read for its type.</param>
/// <param name="Probability">Receives the mean probability of true.</param>
internal sealed record AverageColumns(
    AverageKind Kind, IReadOnlyList<string> Inputs, string Score, string? PredictedLabel, string? Probability);
