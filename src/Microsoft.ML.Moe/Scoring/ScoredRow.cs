using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>A row with its added columns, computed once for each position however often they are read.</summary>
internal sealed class ScoredRow : DataViewRow
{
    private readonly DataViewRow _input;
    private readonly BoundModel _model;
    private readonly bool[] _active;
    private readonly RowResults? _results;
    private long _scoredPosition;
    private bool _scored;

    /// <summary>Lays the added columns over a row.</summary>
    /// <param name="input">The row; disposed with this.</param>
    /// <param name="model">Columns before and after, and how rows are scored.</param>
    /// <param name="active">Wanted columns of <see cref="BoundModel.Output"/>.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public ScoredRow(DataViewRow input, BoundModel model, bool[] active)
    {
        _input = input;
        _model = model;
        _active = active;
        if (!model.NeedsScoring(active))
            return;
        _results = model.CreateResults(input, active, rows: 1);
    }

    public override DataViewSchema Schema => _model.Output;

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column))
            throw Getters.NotActive(column);
        return column.Index < _model.Input.Count
            ? _input.GetGetter<TValue>(_model.Input[column.Index])
            : Getters.Cast<TValue>(_model.CreateGetter(column.Index, _results!, Current), column);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _results?.Dispose();
            _input.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Current()
    {
        if (!_scored || _scoredPosition != _input.Position)
        {
            _scored = false;
            _results!.Clear();
            _results.Read();
            _results.Score();
            _scoredPosition = _input.Position;
            _scored = true;
        }

        _results!.Check(0);
        return 0;
    }
}
