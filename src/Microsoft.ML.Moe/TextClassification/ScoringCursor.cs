using Microsoft.ML.Data;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>
/// Reads a batch of rows ahead, with the values of all wanted columns, and scores it at once, when the first of its scores is read.
/// One input cursor serves both the texts and the values passed on, so that any order of rows, even one that cannot be repeated,
/// stays consistent.
/// </summary>
internal sealed class ScoringCursor : DataViewRowCursor
{
    /// <summary>Most rows, characters of text and vector slots (scores included) that are held at a time; one row always is.</summary>
    private const int RowsAhead = 256;
    private const int CharactersAhead = 1 << 22;
    private const long SlotsAhead = 1 << 22;

    private readonly DataViewRowCursor _input;
    private readonly ScoredSchema _schema;
    private readonly bool[] _active;
    private readonly ClassifierLease _lease;
    private readonly RowText _text;
    private readonly ColumnBuffer?[] _columns;
    private readonly (string First, string? Second)[] _texts;
    private readonly DataViewRowId[] _ids;
    private readonly long[] _batches;
    private readonly float[] _probabilities;
    private readonly ValueGetter<DataViewRowId> _inputId;
    private int _rows;
    private int _row = -1;
    private long _position = -1;
    private bool _scored;
    private bool _ended;

    /// <summary>Lays the added columns over a cursor.</summary>
    /// <param name="input">The cursor; disposed with this.</param>
    /// <param name="schema">Columns before and after.</param>
    /// <param name="active">Wanted columns of <see cref="ScoredSchema.Output"/>.</param>
    /// <param name="lease">The classifier; disposed with this.</param>
    public ScoringCursor(DataViewRowCursor input, ScoredSchema schema, bool[] active, ClassifierLease lease)
    {
        _input = input;
        _schema = schema;
        _active = active;
        _lease = lease;
        _text = new RowText(input, schema.Texts);
        _inputId = input.GetIdGetter();
        var slots = lease.ClassCount + schema.Input.Where(c => active[c.Index]).Sum(c => (c.Type as VectorDataViewType)?.Size ?? 0L);
        var rows = (int)Math.Clamp(SlotsAhead / slots, 1, RowsAhead);
        _texts = new (string, string?)[rows];
        _ids = new DataViewRowId[rows];
        _batches = new long[rows];
        _probabilities = new float[rows * lease.ClassCount];
        _columns = [.. schema.Input.Select(c => active[c.Index] ? ColumnBuffer.Create(input, c, rows) : null)];
    }

    public override DataViewSchema Schema => _schema.Output;

    public override long Position => _position;

    public override long Batch => _position < 0 ? 0 : _batches[_row];

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = _ids[Current()];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column))
            throw RowScores.NotActive(column);
        var getter = column.Index < _schema.Input.Count
            ? _columns[column.Index]!.CreateGetter(Current)
            : column.Index == _schema.PredictedLabel
                ? (ValueGetter<uint>)((ref uint value) => value = RowScores.PredictedLabel(Probabilities()))
                : (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => RowScores.CopyTo(Probabilities(), ref value));
        return RowScores.Cast<TValue>(getter, column);
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
            _lease.Dispose();
            _input.Dispose();
        }

        base.Dispose(disposing);
    }

    private void ReadAhead()
    {
        _scored = false;
        _row = 0;
        _rows = 0;
        for (var characters = 0L; _rows < _texts.Length && characters < CharactersAhead && _input.MoveNext(); _rows++)
        {
            var text = _text.Read();
            characters += text.First.Length + (text.Second?.Length ?? 0);
            _texts[_rows] = text;
            _inputId(ref _ids[_rows]);
            _batches[_rows] = _input.Batch;
            foreach (var column in _columns)
                column?.Read(_rows);
        }
    }

    private int Current() =>
        _position >= 0 ? _row : throw new InvalidOperationException("There is no current row: call MoveNext first, until it is false.");

    private ReadOnlySpan<float> Probabilities()
    {
        var row = Current();
        if (!_scored)
        {
            var encoded = new EncodedText[_rows];
            for (var i = 0; i < _rows; i++)
                encoded[i] = _lease.Input.Encode(_texts[i].First, _texts[i].Second);
            _lease.Score(encoded, _probabilities);
            _scored = true;
        }

        return _probabilities.AsSpan(row * _lease.ClassCount, _lease.ClassCount);
    }
}
