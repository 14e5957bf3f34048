using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe;

public abstract partial class MoeClassificationTransformer<TTransformer, TRow>
{
    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public RouterSettings Router => _shared.Model.Router;

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
    public TTransformer WithRouting(RouterSettings router) =>
        Share(_columns, classifier => classifier.WithRouting(router));

    /// <summary>
    /// A new transformer over the same weights that also tells how unsure the routers are about each row: for leaving rows to people,
    /// or for choosing which to label next. It is used, saved and loaded like any other, and measures nothing while nobody reads these
    /// columns. The two share the weights in memory; each can be disposed without harm to the other.
    /// </summary>
    /// <param name="entropyColumnName">
    /// Column that receives the router entropy H = −Σ p·ln(p + 1e-5) over the row's tokens and all MoE layers: a vector of its
    /// <c>Mean</c> and <c>Max</c>, in nats. null for none.
    /// </param>
    /// <param name="uncertainColumnName">
    /// Column that receives whether the mean is at least <paramref name="threshold"/> · ln N. null for none.
    /// </param>
    /// <param name="threshold">Share of the largest entropy, within [0, 1]; N is the number of experts.</param>
    /// <exception cref="ArgumentException">A name is empty or taken, or the threshold impossible.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public TTransformer WithRouterEntropy(
        string? entropyColumnName = "RouterEntropy",
        string? uncertainColumnName = "Uncertain",
        double threshold = RoutingReportOptions.DefaultUncertainThreshold)
    {
        var columns = _columns with { Uncertainty = UncertaintyColumns.Of(entropyColumnName, uncertainColumnName, threshold) };
        columns.CheckUncertainty(nameof(entropyColumnName), nameof(uncertainColumnName), nameof(threshold));
        return Share(columns, classifier => classifier.Experts > 0
            ? classifier
            : throw new InvalidOperationException("The model has no MoE layers: there is no router entropy to tell."));
    }

    /// <summary>Measures what this model does with other routers, without training.</summary>
    /// <param name="data">
    /// Labelled rows, read once and kept in memory as the model reads them. Rows whose label is missing or was not in the training set are left out.
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
        var columns = _rows.Find(data.Schema);
        var label = InputColumns.Find(data.Schema, labelColumnName, "label");
        var table = new LabelledTableReader<TRow>(host: null, _rows, _shared.Engine).Read(
            data, columns, label, weight: null, row => LabelReader.Matching(row, label, ClassCount, Labels, "data to compare on"));
        if (table.Rows.Count == 0)
            throw new InvalidOperationException(
                $"The table has no rows whose label, in column '{label.Name}', is among the training set's.");
        return _shared.Model.CompareRouting(table.Rows, policies);
    }

    /// <summary>
    /// Tells what the routers do with a table, layer by layer: how evenly the experts are used, how sure the routers are and about
    /// which tokens they are not, which experts work together, and how alike they have become. The report is data;
    /// <see cref="RoutingReportOutput"/> shows it on the console or writes it as a page.
    /// </summary>
    /// <param name="data">Rows to score, read once and in batches, however many they are; no label is needed.</param>
    /// <param name="options">What the report shall hold; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A column is missing or of the wrong type, or an option is impossible; the message names it.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public RoutingReport ReportRouting(
        IDataView data, RoutingReportOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var lease = Lease();
        return _shared.Model.ReportRouting(Read(data, _rows.Find(data.Schema)), options, cancellationToken);
    }

    private IEnumerable<TRow> Read(IDataView data, DataViewSchema.Column[] columns)
    {
        using var cursor = data.GetRowCursor(columns);
        var read = _rows.CreateReader(cursor, columns);
        var batch = new RowBatch<TRow>(_shared.Engine);
        for (var more = true; more; batch.Clear())
        {
            while (!batch.IsFull && (more = cursor.MoveNext()))
                batch.Add(read(out var size), size);
            foreach (var row in batch.Encode())
                yield return row;
        }
    }

    /// <summary>A new transformer with a classifier that shares this one's weights, and holds them.</summary>
    private TTransformer Share(ClassificationColumns columns, Func<Classifier<TRow>, Classifier<TRow>> change)
    {
        var lease = Lease();
        try
        {
            return Create(columns, new SharedModel<Classifier<TRow>>(change(_shared.Model), _shared.Engine, lease));
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }
}
