using Microsoft.ML.Data;
using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe;

/// <summary>What the transformers that score with a trained classifier have in common.</summary>
/// <typeparam name="TTransformer">The transformer.</typeparam>
/// <typeparam name="TRow">A row as its model reads it.</typeparam>
/// <remarks>
/// <see cref="ITransformer.Transform"/> scores in batches as rows are read; cursors may run side by side. Disposing ends the use of
/// this transformer; cursors and prediction engines that are in use go on working until they are disposed themselves.
/// </remarks>
public abstract partial class MoeClassificationTransformer<TTransformer, TRow> : ITransformer, IDisposable
    where TTransformer : MoeClassificationTransformer<TTransformer, TRow>
{
    private readonly ClassificationColumns _columns;
    private readonly SharedModel<Classifier<TRow>> _shared;
    private readonly RowSource<TRow> _rows;
    private int _disposed;

    private protected MoeClassificationTransformer(
        ClassificationColumns columns, SharedModel<Classifier<TRow>> shared, LabelValues? labels, RowSource<TRow> rows)
    {
        _columns = columns;
        _shared = shared;
        _rows = rows;
        Labels = labels;
    }

    /// <summary>Number of classes: of values that the label's key can have.</summary>
    public int ClassCount => _shared.Model.ClassCount;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => _shared.Model.ParameterCount;

    bool ITransformer.IsRowToRowMapper => true;

    internal LabelValues? Labels { get; }

    /// <summary>How often rows, one or a batch, were scored; for tests.</summary>
    internal long ScoringCalls => _shared.ScoringCalls;

    /// <summary>Whether the classifier is still in memory; for tests.</summary>
    internal bool IsModelAlive => _shared.IsAlive;

    /// <summary>The schema of a scored table.</summary>
    /// <param name="inputSchema">Schema of the table to score.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).Output;

    /// <summary>
    /// Adds the predicted label and the score, and the routers' uncertainty where asked for, to a table, as its rows are read.
    /// </summary>
    /// <param name="input">The table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringDataView(input, Bind(input.Schema));
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new ScoringMapper(Bind(inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var lease = Lease();
        Save(ctx, _shared.Model);
    }

    /// <summary>Ends the use of this transformer; the model is released when its last cursor or prediction engine has gone.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _shared.Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>A hold on the classifier for a cursor or a row.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal ModelLease<Classifier<TRow>> Lease()
    {
        ObjectDisposedException.ThrowIf(_disposed != 0 || !_shared.TryAcquire(), this);
        return new ModelLease<Classifier<TRow>>(_shared);
    }

    /// <summary>A transformer over another model, or with other columns.</summary>
    private protected abstract TTransformer Create(ClassificationColumns columns, SharedModel<Classifier<TRow>> shared);

    /// <summary>Saves the transformer with its model.</summary>
    private protected abstract void Save(ModelSaveContext context, Classifier<TRow> classifier);

    private BoundClassifier Bind(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var scored = _rows.Find(input);
        return new BoundClassifier(
            input, scored, _columns, ClassCount, Labels, _shared.Model.Experts, (model, row, rows, withEntropies) =>
            {
                var read = _rows.CreateReader(row, scored);
                return new ClassifierResults<TRow>(Lease(), read, model, rows, withEntropies);
            });
    }
}
