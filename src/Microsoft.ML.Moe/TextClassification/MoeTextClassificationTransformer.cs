using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.TextClassification;
using Microsoft.ML.Moe.TextScoring;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores text with a classifier that <see cref="MoeTextClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <remarks>
/// <see cref="ITransformer.Transform"/> scores in batches as rows are read; cursors may run side by side. Disposing ends the use of
/// this transformer; cursors and prediction engines that are in use go on working until they are disposed themselves.
/// </remarks>
public sealed partial class MoeTextClassificationTransformer : ITransformer, IDisposable
{
    private readonly SharedModel<TextClassifier> _shared;
    private int _disposed;

    internal MoeTextClassificationTransformer(
        TextClassificationColumns columns, SharedModel<TextClassifier> shared, LabelValues? labels, TextTokenizer? tokenizer)
    {
        Columns = columns;
        _shared = shared;
        Labels = labels;
        Tokenizer = tokenizer;
    }

    /// <summary>Number of classes: of values that the label's key can have.</summary>
    public int ClassCount => _shared.Model.ClassCount;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => _shared.Model.ParameterCount;

    bool ITransformer.IsRowToRowMapper => true;

    internal TextClassificationColumns Columns { get; }

    internal LabelValues? Labels { get; }

    internal TextTokenizer? Tokenizer { get; }

    /// <summary>How often rows, one or a batch, were scored; for tests.</summary>
    internal long ScoringCalls => _shared.ScoringCalls;

    /// <summary>Whether the classifier is still in memory; for tests.</summary>
    internal bool IsModelAlive => _shared.IsAlive;

    /// <summary>The schema of a scored table.</summary>
    /// <param name="inputSchema">Schema of the table to score.</param>
    /// <exception cref="ArgumentOutOfRangeException">A text column is missing or not text.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).Output;

    /// <summary>
    /// Adds the predicted label and the score, and the routers' uncertainty where asked for, to a table, as its rows are read.
    /// </summary>
    /// <param name="input">The table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A text column is missing or not text.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringDataView(input, Bind(input.Schema));
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new ScoringMapper(Bind(inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var lease = Lease();
        TextClassificationModel.Save(ctx, this, _shared.Model);
    }

    /// <summary>Ends the use of this transformer; the model is released when its last cursor or prediction engine has gone.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _shared.Release();
    }

    /// <summary>A hold on the classifier for a cursor or a row.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal ModelLease<TextClassifier> Lease()
    {
        ObjectDisposedException.ThrowIf(_disposed != 0 || !_shared.TryAcquire(), this);
        return new ModelLease<TextClassifier>(_shared);
    }

    private BoundClassifier Bind(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return new BoundClassifier(this, input, _shared.Model.Experts);
    }
}
