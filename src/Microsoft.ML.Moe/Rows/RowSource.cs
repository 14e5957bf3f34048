using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Where a model's rows come from: columns of a table, read as the model needs them.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal abstract class RowSource<TRow>
{
    /// <summary>Finds the columns that are read.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is missing or of the wrong type; the message names it.</exception>
    public abstract DataViewSchema.Column[] Find(DataViewSchema schema);

    /// <summary>Reads the current row, whichever that is.</summary>
    /// <param name="row">The row, or a cursor over rows.</param>
    /// <param name="columns">From <see cref="Find"/>.</param>
    public abstract RowReader<TRow> CreateReader(DataViewRow row, DataViewSchema.Column[] columns);

    /// <summary>Logs what is remarkable about the rows of a table.</summary>
    /// <param name="channel">The log.</param>
    /// <param name="which">What the log calls the table.</param>
    /// <param name="rows">The rows.</param>
    public virtual void Log(IChannel channel, string which, IEnumerable<TRow> rows)
    {
    }
}

/// <summary>Reads the current row of a table as a model needs it. For the thread of the table's cursor.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="size">Bytes that what was read takes, about.</param>
/// <returns>Encodes what was read, whichever row is the current one by then; for any thread.</returns>
internal delegate Func<TRow> RowReader<out TRow>(out long size);
