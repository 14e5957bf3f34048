using System.Globalization;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>Logs what was left out of a table, or cut off.</summary>
internal static class TableReport
{
    public static void Log(
        IChannel channel, string which, TextClassificationColumns columns, string labelColumn, LabelledTable table)
    {
        if (table.MissingLabels > 0)
            channel.Warning(
                MessageSensitivity.Schema,
                $"{table.MissingLabels} {which} rows are left out: their label in column '{labelColumn}' is missing.");
        if (table.UnknownLabels > 0)
            channel.Warning(
                MessageSensitivity.Schema,
                $"{table.UnknownLabels} {which} rows are left out: their label in column '{labelColumn}' is not in the training set.");
        if (table.BlankTexts > 0)
            channel.Warning(
                MessageSensitivity.Schema,
                $"{table.BlankTexts} {which} rows have missing or blank text in column '{columns.Sentence1}'; they count as empty texts.");
        if (table.RowsCutOff > 0)
            channel.Info(MessageSensitivity.None, string.Create(
                CultureInfo.InvariantCulture,
                $"{table.RowsCutOff} {which} rows ({(double)table.RowsCutOff / table.Rows.Count:P1}) are longer than {nameof(table.MaximumTokens)} = {table.MaximumTokens}; {table.TokensCutOff} tokens are cut off."));
    }
}
