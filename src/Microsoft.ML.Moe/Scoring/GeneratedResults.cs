using Microsoft.ML.Data;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Texts that a model has written for rows.</summary>
/// <param name="lease">The model; disposed with this.</param>
/// <param name="read">Reads the table's current row.</param>
/// <param name="rows">Most rows that are read ahead.</param>
/// <param name="writer">Writes.</param>
/// <param name="withEntropies">Whether the routers' entropy is measured.</param>
internal sealed class GeneratedResults(
    ModelLease<Model<EncodedText>> lease, RowReader<EncodedText> read, int rows, RowWriter writer, bool withEntropies) : RowResults
{
    private readonly RowBatch<EncodedText> _batch = new(lease.Engine, Math.Min(rows, RowBatch.MostRows));
    private IReadOnlyList<WrittenRow> _written = [];
    private readonly bool _hasNumbers = rows > 1;
    private long _rowsBefore;

    /// <inheritdoc/>
    public override bool IsFull => _batch.IsFull;

    /// <inheritdoc/>
    public override void Clear()
    {
        _rowsBefore += _batch.Count;
        _batch.Clear();
    }

    /// <inheritdoc/>
    public override void Read() => _batch.Add(read(out var size), size);

    /// <inheritdoc/>
    public override void Score()
    {
        var encoded = _batch.Encode();
        lease.Score(model => _written = writer.Write(model, encoded, withEntropies, NameOf));
    }

    // a single row, as of a prediction engine, has no number
    private string NameOf(int row) => _hasNumbers ? $"The prompt of row {_rowsBefore + row + 1}" : "The prompt";

    /// <summary>What was written for a row.</summary>
    /// <param name="row">Place of the row among those that were read at once.</param>
    public WrittenRow Of(int row) => _written[row];

    /// <inheritdoc/>
    public override ReadOnlySpan<float> OutputsOf(int row) => [];

    /// <inheritdoc/>
    public override RowEntropy EntropyOf(int row) => new((float)Of(row).RouterEntropy, float.NaN);

    /// <inheritdoc/>
    public override void Dispose() => lease.Dispose();
}

/// <summary>The columns of a model that writes text.</summary>
/// <param name="columns">Their names.</param>
internal sealed class GeneratedOutput(GenerationColumns columns) : OutputColumns
{
    private readonly IReadOnlyList<(string Name, DataViewType Type)> _added = columns.Added;

    /// <inheritdoc/>
    public override void AddTo(DataViewSchema.Builder builder, DataViewSchema input)
    {
        foreach (var (name, type) in _added)
            builder.AddColumn(name, type);
    }

    /// <inheritdoc/>
    public override bool NeedsEntropy(ReadOnlySpan<bool> active) => columns.RouterEntropy is not null && active[^1];

    /// <inheritdoc/>
    public override Delegate CreateGetter(int column, RowResults results, Func<int> current)
    {
        var written = (GeneratedResults)results;
        var name = _added[column].Name;
        return name == columns.TokenCount ? (ValueGetter<int>)((ref int value) => value = written.Of(current()).Answer.Tokens.Count)
            : name == columns.Answers ? (ValueGetter<VBuffer<ReadOnlyMemory<char>>>)((ref VBuffer<ReadOnlyMemory<char>> value) =>
                Fill(written.Of(current()).Answers, ref value))
            : name == columns.LogProbability ? (ValueGetter<float>)((ref float value) => value = (float)written.Of(current()).Answer.LogProbability)
            : name == columns.RouterEntropy ? (ValueGetter<float>)((ref float value) => value = (float)written.Of(current()).RouterEntropy)
            : (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = written.Of(current()).Answer.Text.AsMemory());
    }

    private static void Fill(IReadOnlyList<GeneratedText> answers, ref VBuffer<ReadOnlyMemory<char>> value)
    {
        var editor = VBufferEditor.Create(ref value, answers.Count);
        for (var i = 0; i < answers.Count; i++)
            editor.Values[i] = answers[i].Text.AsMemory();
        value = editor.Commit();
    }
}
