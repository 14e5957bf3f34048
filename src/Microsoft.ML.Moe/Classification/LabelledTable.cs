using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Classification;

/// <summary>A table as it was read for training or validation.</summary>
/// <param name="Rows">Rows with a label.</param>
/// <param name="MissingLabels">Rows left out because their label is missing.</param>
/// <param name="UnknownLabels">Rows left out because their label is not among the classes.</param>
internal sealed record LabelledTable<TRow>(IReadOnlyList<LabelledRow<TRow>> Rows, int MissingLabels, int UnknownLabels)
{
    /// <summary>Logs what was left out.</summary>
    /// <param name="channel">The log.</param>
    /// <param name="which">What the log calls the table.</param>
    /// <param name="label">Name of the label column.</param>
    public void Log(IChannel channel, string which, string label)
    {
        if (MissingLabels > 0)
            channel.Warning(
                MessageSensitivity.Schema, $"{MissingLabels} {which} rows are left out: their label in column '{label}' is missing.");
        if (UnknownLabels > 0)
            channel.Warning(
                MessageSensitivity.Schema,
                $"{UnknownLabels} {which} rows are left out: their label in column '{label}' is not in the training set.");
    }
}
