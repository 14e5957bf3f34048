using System.Globalization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Rows;

/// <summary>A row from which a model that writes text learns.</summary>
/// <param name="Prompt">What the model reads of it, all windows.</param>
/// <param name="Learned">What it learns of it: a window and the target behind it, a piece of a text; one at least.</param>
/// <param name="Targets">Texts that would be right, of which the first is learned; none where the row is a text alone.</param>
/// <param name="TargetTokensCutOff">Tokens of the target that are cut off.</param>
/// <param name="HasBlankPrompt">Whether all columns of the prompt are blank.</param>
internal sealed record TaughtRow(
    EncodedText Prompt,
    IReadOnlyList<EncodedText> Learned,
    IReadOnlyList<string> Targets,
    int TargetTokensCutOff = 0,
    bool HasBlankPrompt = false);

/// <summary>Reads the current row of a table. For the thread of the table's cursor.</summary>
/// <param name="size">Bytes that what was read takes, about.</param>
/// <param name="group">Class of the row; 0 where there are no classes.</param>
/// <returns>Encodes what was read; for any thread. null for a row that teaches nothing.</returns>
internal delegate Func<TaughtRow>? TaughtRowReader(out long size, out int group);

/// <summary>A table as it was read for training or validation.</summary>
/// <param name="Rows">Rows that teach something, with their class.</param>
/// <param name="LeftOut">Rows without a target.</param>
/// <param name="FirstLeftOut">Number of the first of those, from 1.</param>
internal sealed record TaughtTable(IReadOnlyList<Example<TaughtRow>> Rows, long LeftOut, long FirstLeftOut)
{
    /// <summary>Reads a table in one pass.</summary>
    /// <param name="checkGoesOn">Asks, at every row, whether to go on.</param>
    /// <param name="engine">Its threads encode rows.</param>
    /// <param name="data">The table.</param>
    /// <param name="columns">Its columns that are read.</param>
    /// <param name="createReader">Reads a cursor's rows.</param>
    /// <exception cref="InvalidOperationException">A row cannot be encoded; the message tells which, and why.</exception>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public static TaughtTable Read(
        Action checkGoesOn,
        Engine engine,
        IDataView data,
        IReadOnlyList<DataViewSchema.Column> columns,
        Func<DataViewRow, TaughtRowReader> createReader)
    {
        using var cursor = data.GetRowCursor(columns.DistinctBy(c => c.Index));
        var read = createReader(cursor);
        var rows = new List<Example<TaughtRow>>();
        var batch = new RowBatch<Example<TaughtRow>>(engine);
        var (leftOut, firstLeftOut) = (0L, 0L);
        for (var more = true; more; batch.Clear())
        {
            while (!batch.IsFull && (more = cursor.MoveNext()))
            {
                checkGoesOn();
                var row = cursor.Position + 1;
                if (read(out var size, out var group) is { } encode)
                    batch.Add(() => new Example<TaughtRow>(Encoded(encode, row), group), size);
                else if (leftOut++ == 0)
                    firstLeftOut = row;
            }

            rows.AddRange(batch.Encode().Where(row => row.Input.Learned.Count > 0));
        }

        return new TaughtTable(rows, leftOut, firstLeftOut);
    }

    /// <summary>Logs what is remarkable about the table.</summary>
    /// <param name="channel">The log.</param>
    /// <param name="which">What the log calls the table.</param>
    /// <param name="targetColumn">Name of the column of targets.</param>
    /// <param name="source">Name and value of the option that limits what is read of a row.</param>
    /// <param name="target">Name and value of the option that limits a target.</param>
    public void Log(
        IChannel channel, string which, string targetColumn, (string Option, int Value) source, (string Option, int Value) target)
    {
        if (LeftOut > 0)
        {
            channel.Warning(
                MessageSensitivity.Schema,
                $"{LeftOut} {which} rows are left out: there is nothing to learn in column '{targetColumn}'; the first is row "
                + $"{FirstLeftOut}.");
        }

        LogCut("read", source, [.. Rows.Select(row => (long)row.Input.Prompt.TokensCutOff)]);
        LogCut("to be written", target, [.. Rows.Select(row => (long)row.Input.TargetTokensCutOff)]);

        void LogCut(string what, (string Option, int Value) limit, long[] cutOff)
        {
            if (cutOff.Count(tokens => tokens > 0) is > 0 and var rows)
            {
                channel.Warning(MessageSensitivity.None, string.Create(
                    CultureInfo.InvariantCulture,
                    $"Of {rows} {which} rows ({(double)rows / cutOff.Length:P1}) what is {what} is longer than {limit.Option} = "
                    + $"{limit.Value}; {cutOff.Sum()} tokens are cut off."));
            }
        }
    }

    private static TaughtRow Encoded(Func<TaughtRow> encode, long row)
    {
        try
        {
            return encode();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            throw new InvalidOperationException($"Row {row} cannot be learned from: {e.Message}", e);
        }
    }
}
