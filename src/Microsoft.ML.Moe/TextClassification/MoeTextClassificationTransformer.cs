using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.TextClassification;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores text with a classifier that <see cref="MoeTextClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <remarks>
/// <see cref="ITransformer.Transform"/> scores in batches as rows are read; cursors may run side by side. Disposing ends the use of
/// this transformer; cursors and prediction engines that are in use go on working until they are disposed themselves.
/// </remarks>
public sealed class MoeTextClassificationTransformer : ITransformer, IDisposable
{
    private readonly SharedClassifier _shared;
    private int _disposed;

    internal MoeTextClassificationTransformer(
        TextClassificationColumns columns, SharedClassifier shared, LabelValues? labels, TextTokenizer? tokenizer)
    {
        Columns = columns;
        _shared = shared;
        Labels = labels;
        Tokenizer = tokenizer;
    }

    /// <summary>Number of classes: of values that the label's key can have.</summary>
    public int ClassCount => _shared.Classifier.ClassCount;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => _shared.Classifier.ParameterCount;

    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public RouterSettings Router => _shared.Classifier.Router;

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

    /// <summary>Adds the predicted label and the score to a table, as its rows are read.</summary>
    /// <param name="input">The table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A text column is missing or not text.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringDataView(this, input, Bind(input.Schema));
    }

    /// <summary>
    /// A new transformer with another router over the same weights, without training: what USMoE (arXiv 2503.22996) calls training-free
    /// use. It is used, saved and loaded like any other and writes the same columns. The two share the weights in memory; each can be
    /// disposed without harm to the other.
    /// </summary>
    /// <param name="router">
    /// The router; <c>transformer.Router with { ExpertsPerToken = 1 }</c> changes one setting and keeps the others.
    /// </param>
    /// <exception cref="ArgumentException">The router is impossible, or does not fit the number of experts.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public MoeTextClassificationTransformer WithRouting(RouterSettings router)
    {
        var lease = Lease();
        try
        {
            var shared = new SharedClassifier(_shared.Classifier.WithRouting(router), lease);
            return new MoeTextClassificationTransformer(Columns, shared, Labels, Tokenizer);
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    /// <summary>Measures what this model does with other routers, without training.</summary>
    /// <param name="data">
    /// Labelled rows, read once and kept in memory as tokens. Rows whose label is missing or was not in the training set are left out.
    /// </param>
    /// <param name="policies">Routers to compare, at least one.</param>
    /// <param name="labelColumnName">
    /// The label: keys with the training set's values behind them, or plain values of the same type.
    /// </param>
    /// <returns>
    /// For each router, in their order: accuracy (<c>Evaluate</c>'s micro accuracy) and log-loss in nats, experts per token as
    /// measured, floating-point operations and milliseconds per row; <see cref="RoutingComparison"/> says what is counted.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    /// <exception cref="ArgumentException">There are no policies, or one is impossible or does not fit the number of experts.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers, or the table no rows with a known label.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    /// <remarks>With a scope other than <see cref="RoutingScope.Sequence"/>, results depend on which rows are scored together.</remarks>
    public IReadOnlyList<RoutingComparison> CompareRouting(
        IDataView data, IReadOnlyList<RouterSettings> policies, string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(policies);
        ArgumentException.ThrowIfNullOrEmpty(labelColumnName);
        using var lease = Lease();
        var texts = InputColumns.Texts(data.Schema, Columns);
        var label = InputColumns.Find(data.Schema, labelColumnName, "label");
        var table = new LabelledTableReader(host: null, lease.Input).Read(
            data, texts, label, weight: null, row => LabelReader.Matching(row, label, ClassCount, Labels, "data to compare on"));
        if (table.Rows.Count == 0)
            throw new InvalidOperationException(
                $"The table has no rows whose label, in column '{label.Name}', is among the training set's.");
        return _shared.Classifier.CompareRouting(table.Rows, policies);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new ScoringMapper(this, Bind(inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var lease = Lease();
        TextClassificationModel.Save(ctx, this, _shared.Classifier);
    }

    /// <summary>Ends the use of this transformer; the model is released when its last cursor or prediction engine has gone.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _shared.Release();
    }

    /// <summary>A hold on the classifier for a cursor or a row.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal ClassifierLease Lease()
    {
        ObjectDisposedException.ThrowIf(_disposed != 0 || !_shared.TryAcquire(), this);
        return new ClassifierLease(_shared);
    }

    private ScoredSchema Bind(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return new ScoredSchema(input, Columns, ClassCount, Labels);
    }
}
