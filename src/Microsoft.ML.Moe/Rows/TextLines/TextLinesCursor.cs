using Microsoft.ML.Data;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Reads lines.</summary>
/// <param name="schema">Schema of the table.</param>
/// <param name="lines">The lines.</param>
/// <param name="isActive">Whether the text is wanted, and not only the number of rows.</param>
internal sealed class TextLinesCursor(DataViewSchema schema, IEnumerable<string> lines, bool isActive) : DataViewRowCursor
{
    private readonly IEnumerator<string> _lines = lines.GetEnumerator();
    private long _position = -1;
    private bool _ended;

    public override DataViewSchema Schema => schema;

    public override long Position => _position;

    public override long Batch => 0;

    public override bool MoveNext()
    {
        if (_ended || !_lines.MoveNext())
        {
            End();
            return false;
        }

        _position++;
        return true;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => isActive;

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!isActive)
            throw Getters.NotActive(column);
        return Getters.Cast<TValue>(
            (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = CheckRow(_lines).Current.AsMemory()), column);
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() =>
        (ref DataViewRowId value) => value = new DataViewRowId((ulong)CheckRow(_position), 0);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            End();
        base.Dispose(disposing);
    }

    private T CheckRow<T>(T value) =>
        _position >= 0 ? value : throw new InvalidOperationException("There is no current row: call MoveNext first, until it is false.");

    private void End()
    {
        _ended = true;
        _position = -1;
        _lines.Dispose();
    }
}
