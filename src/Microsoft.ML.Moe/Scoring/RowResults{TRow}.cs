using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Results of rows of one kind.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="read">Reads the table's current row.</param>
/// <param name="engine">Where the model lives; its threads encode rows.</param>
/// <param name="rows">Most rows that are scored at once.</param>
internal abstract class RowResults<TRow>(RowReader<TRow> read, Engine engine, int rows) : RowResults
{
    private readonly RowBatch<TRow> _batch = new(engine, rows);

    public override bool IsFull => _batch.IsFull;

    public override void Clear() => _batch.Clear();

    public override void Read() => _batch.Add(read(out var size), size);

    public override void Score() => Score(_batch.Encode());

    /// <summary>Scores rows.</summary>
    protected abstract void Score(IReadOnlyList<TRow> rows);
}
