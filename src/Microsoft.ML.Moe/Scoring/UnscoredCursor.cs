using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Passes an input cursor on when no added column is wanted.</summary>
internal sealed class UnscoredCursor(DataViewRowCursor input, BoundModel model, bool[] active) : DataViewRowCursor
{
    public override DataViewSchema Schema => model.Output;

    public override long Position => input.Position;

    public override long Batch => input.Batch;

    public override bool MoveNext() => input.MoveNext();

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
        IsColumnActive(column) ? input.GetGetter<TValue>(model.Input[column.Index]) : throw Getters.NotActive(column);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            input.Dispose();
        base.Dispose(disposing);
    }
}
