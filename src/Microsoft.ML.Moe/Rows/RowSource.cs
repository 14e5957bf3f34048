using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Where a model's rows come from: columns of a table, read as the model needs them.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal abstract class RowSource<TRow>
{
    /// <summary>Finds the columns that are read.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is missing or of the wrong type; the message names it.</exception>
    public abstract DataViewSchema.Column[] Find(NamedSchema schema);

    /// <summary>
    /// Whether a table is read one row after the other. ML.NET else has threads of its own make rows ahead, and where one of them fails, what
    /// it made before is lost and nobody can tell which row it was.
    /// </summary>
    public virtual bool ReadsInOrder => false;

    /// <summary>A cursor over a table.</summary>
    public DataViewRowCursor Open(IDataView data, IEnumerable<DataViewSchema.Column> columns, Random? random = null) =>
        Cursors.Open(data, columns, random, ReadsInOrder);

    /// <summary>Reads the current row, whichever that is.</summary>
    /// <param name="row">The row, or a cursor over rows.</param>
    /// <param name="columns">From <see cref="Find"/>.</param>
    public abstract RowReader<TRow> CreateReader(DataViewRow row, DataViewSchema.Column[] columns);

    /// <summary>Checks that rows tell something.</summary>
    /// <param name="rows">The rows, those of weight 0 left out.</param>
    /// <param name="table">The table that they are from.</param>
    /// <param name="isLearned">Whether they are learned from: then they must tell something of which a label can be told.</param>
    /// <exception cref="InvalidOperationException">They do not; the message names the column.</exception>
    public virtual void CheckInformation(IReadOnlyList<TRow> rows, TableName table, bool isLearned)
    {
    }

    /// <summary>Whether there are several rows, all the same.</summary>
    private protected static bool AreSame(IReadOnlyList<TRow> rows, Func<TRow, TRow, bool> isSame)
    {
        for (var i = 1; i < rows.Count; i++)
            if (!isSame(rows[0], rows[i]))
                return false;
        return rows.Count > 1;
    }

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

/// <summary>Reads rows of which some cannot be read.</summary>
internal static class RowReaders
{
    /// <summary>Reads the current row; of one that cannot be read, encoding it tells that.</summary>
    public static Func<TRow> OrBad<TRow>(this RowReader<TRow> read, out long size)
    {
        try
        {
            return read(out size);
        }
        catch (BadRowException e)
        {
            size = 0;
            return () => throw e;
        }
    }
}
