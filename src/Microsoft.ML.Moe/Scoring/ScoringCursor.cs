using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>
/// Reads a batch of rows ahead, with the values of all wanted columns, and scores it at once, when the first of its results is read.
/// One input cursor serves both the model and the values passed on, so that any order of rows, even one that cannot be repeated,
/// stays consistent.
/// </summary>
internal sealed class ScoringCursor : DataViewRowCursor
{
    /// <summary>Most vector slots, results included, that are held at a time; one row always is.</summary>
    private const long SlotsAhead = 1 << 22;

    private readonly DataViewRowCursor _input;
    private readonly BoundModel _model;
    private readonly bool[] _active;
    private readonly RowResults _results;
    private readonly ColumnBuffer?[] _columns;
    private readonly DataViewRowId[] _ids;
    private readonly long[] _batches;
    private readonly ValueGetter<DataViewRowId> _inputId;
    private int _rows;
    private int _row = -1;
    private long _position = -1;
    private bool _scored;
    private bool _ended;

    /// <summary>Lays the added columns over a cursor.</summary>
    /// <param name="input">The cursor; disposed with this.</param>
    /// <param name="model">Columns before and after, and how rows are scored.</param>
    /// <param name="active">Wanted columns of <see cref="BoundModel.Output"/>.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public ScoringCursor(DataViewRowCursor input, BoundModel model, bool[] active)
    {
        _input = input;
        _model = model;
        _active = active;
        _inputId = input.GetIdGetter();
        var slots = model.Output.Where(c => active[c.Index] || c.Index >= model.Input.Count)
            .Sum(c => (c.Type as VectorDataViewType)?.Size ?? 0L);
        var rows = (int)Math.Clamp(SlotsAhead / Math.Max(1, slots), 1, RowBatch.MostRows);
        _ids = new DataViewRowId[rows];
        _batches = new long[rows];
        _columns = [.. model.Input.Select(c => active[c.Index] ? ColumnBuffer.Create(input, c, rows) : null)];
        _results = model.CreateResults(input, active, rows);
    }

    public override DataViewSchema Schema => _model.Output;

    public override long Position => _position;

    public override long Batch => _position < 0 ? 0 : _batches[_row];

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = _ids[Current()];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column))
            throw Getters.NotActive(column);
        var getter = column.Index < _model.Input.Count
            ? _columns[column.Index]!.CreateGetter(Current)
            : _model.CreateGetter(column.Index, _results, ScoredRow);
        return Getters.Cast<TValue>(getter, column);
    }

    public override bool MoveNext()
    {
        if (_ended)
            return false;
        if (++_row >= _rows)
            ReadAhead();
        if (_rows == 0)
        {
            _ended = true;
            _position = -1;
            return false;
        }

        _position++;
        return true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ended = true;
            _position = -1;
            _results.Dispose();
            _input.Dispose();
        }

        base.Dispose(disposing);
    }

    private void ReadAhead()
    {
        _scored = false;
        _row = 0;
        _rows = 0;
        _results.Clear();
        for (; !_results.IsFull && _input.MoveNext(); _rows++)
        {
            _results.Read();
            _inputId(ref _ids[_rows]);
            _batches[_rows] = _input.Batch;
            foreach (var column in _columns)
                column?.Read(_rows);
        }
    }

    private int Current() =>
        _position >= 0 ? _row : throw new InvalidOperationException("There is no current row: call MoveNext first, until it is false.");

    /// <summary>The current row, after making sure that the rows read ahead are scored.</summary>
    private int ScoredRow()
    {
        var row = Current();
        if (!_scored)
        {
            _results.Score();
            _scored = true;
        }

        _results.Check(row);
        return row;
    }
}
