using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>A row with its predicted label and score, computed once for each position however often they are read.</summary>
internal sealed class ScoredRow : DataViewRow
{
    private readonly DataViewRow _input;
    private readonly ScoredSchema _schema;
    private readonly bool[] _active;
    private readonly ClassifierLease? _lease;
    private readonly RowText? _text;
    private readonly float[] _probabilities = [];
    private long _scoredPosition;
    private bool _scored;

    /// <summary>Lays the added columns over a row.</summary>
    /// <param name="input">The row; disposed with this.</param>
    /// <param name="schema">Columns before and after.</param>
    /// <param name="active">Wanted columns of <see cref="ScoredSchema.Output"/>.</param>
    /// <param name="lease">The classifier; null when no added column is wanted. Disposed with this.</param>
    public ScoredRow(DataViewRow input, ScoredSchema schema, bool[] active, ClassifierLease? lease)
    {
        _input = input;
        _schema = schema;
        _active = active;
        _lease = lease;
        if (lease is null)
            return;
        _text = new RowText(input, schema.Texts);
        _probabilities = new float[lease.ClassCount];
    }

    public override DataViewSchema Schema => _schema.Output;

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column))
            throw RowScores.NotActive(column);
        if (column.Index < _schema.Input.Count)
            return _input.GetGetter<TValue>(_schema.Input[column.Index]);
        Delegate getter = column.Index == _schema.PredictedLabel
            ? (ValueGetter<uint>)((ref uint value) => value = RowScores.PredictedLabel(Probabilities()))
            : (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => RowScores.CopyTo(Probabilities(), ref value));
        return RowScores.Cast<TValue>(getter, column);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _lease?.Dispose();
            _input.Dispose();
        }

        base.Dispose(disposing);
    }

    private ReadOnlySpan<float> Probabilities()
    {
        if (!_scored || _scoredPosition != _input.Position)
        {
            _scored = false;
            var (first, second) = _text!.Read();
            _lease!.Score([_lease.Input.Encode(first, second)], _probabilities);
            _scoredPosition = _input.Position;
            _scored = true;
        }

        return _probabilities;
    }
}
