using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>What the transformers that score with a trained classifier have in common.</summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public abstract class MoeClassificationTransformer : MoeTransformer
{
    private readonly ClassificationColumns _columns;

    private protected MoeClassificationTransformer(ClassificationColumns columns, FittedModel model, LabelValues? labels)
        : base(model, new ClassesOutput(columns, model.Outputs, labels, model.Experts))
    {
        _columns = columns;
        Labels = labels;
    }

    /// <summary>Number of classes: of values that the label's key can have.</summary>
    public int ClassCount => Model.Outputs;

    /// <summary>Values behind the label's keys, if any.</summary>
    internal LabelValues? Labels { get; }

    /// <summary>
    /// A new transformer with another router over the same weights, without training: what USMoE (arXiv 2503.22996) calls training-free
    /// use. It is used, saved and loaded like any other and writes the same columns. The two share the weights in memory; each can be
    /// disposed without harm to the other.
    /// </summary>
    /// <param name="router">
    /// The router; <c>transformer.Router with { ExpertsPerToken = 1 }</c> changes one setting and keeps the others.
    /// </param>
    /// <exception cref="ArgumentException">The router does not fit the number of experts.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public abstract MoeClassificationTransformer WithRouting(Router router);

    /// <summary>
    /// A new transformer that scores with the weight matrices in another precision, without training. In bfloat16 single predictions
    /// and small batches of a model that is larger than the CPU's caches take 0.7 to 0.9 of the time, and the copy of
    /// the weights that scoring makes takes half the memory; a small model, or large batches, gain nothing. Scores change little; a
    /// token whose two best experts were about equal can go to another one, which moves its row's scores by more
    /// (0.17 was seen). Predictions change where two classes were about as likely. The two share the trained weights in memory; each can
    /// be disposed without harm to the other.
    /// </summary>
    /// <param name="precision">The precision. On a GPU models score in single precision whatever is chosen.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="precision"/> is no precision.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    /// <remarks>
    /// It is used like any other. Saving writes the weights as they were trained, and what is loaded scores in full precision: the
    /// precision belongs to the machine, not to the model.
    /// </remarks>
    public abstract MoeClassificationTransformer WithPrecision(InferencePrecision precision);

    /// <summary>
    /// A new transformer over the same weights that also tells how unsure the routers are about each row: for leaving rows to people,
    /// or for choosing which to label next. It is used, saved and loaded like any other, and measures nothing while no consumer reads
    /// these columns. The two share the weights in memory; each can be disposed without harm to the other.
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
    public abstract MoeClassificationTransformer WithRouterEntropy(
        string? entropyColumnName = "RouterEntropy",
        string? uncertainColumnName = "Uncertain",
        double threshold = RoutingReportOptions.DefaultUncertainThreshold);

    /// <summary>Measures what this model does with other routers, without training.</summary>
    /// <param name="data">
    /// Labelled rows, read once and kept in memory as the model reads them. Rows whose label is missing or was not in the training set
    /// are left out.
    /// </param>
    /// <param name="routers">Routers to compare, at least one.</param>
    /// <param name="labelColumnName">
    /// The label: keys with the training set's values behind them, or plain values of the same type.
    /// </param>
    /// <returns>
    /// For each router, in their order: accuracy (<c>Evaluate</c>'s micro accuracy) and log-loss in nats, experts per token as
    /// measured, floating-point operations and milliseconds per row; <see cref="RoutingComparison"/> says what is counted.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    /// <exception cref="ArgumentException">There are no routers, or one does not fit the number of experts.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers, or the table no rows with a known label.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    /// <remarks>With a scope other than <see cref="RoutingScope.Sequence"/>, results depend on which rows are scored together.</remarks>
    public IReadOnlyList<RoutingComparison> CompareRouting(IDataView data, IReadOnlyList<Router> routers, string labelColumnName = "Label")
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(routers);
        ArgumentException.ThrowIfNullOrEmpty(labelColumnName);
        using var hold = Hold();
        return Model.CompareRouting(data, routers, labelColumnName, Labels);
    }

    /// <summary>
    /// Tells what the routers do with a table, layer by layer: how evenly the experts are used, how sure the routers are and about
    /// which tokens they are not, which experts work together, and how alike they have become. The report is data;
    /// <see cref="RoutingReportOutput"/> writes it as text or as a page.
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
        using var hold = Hold();
        return Model.ReportRouting(data, options, cancellationToken);
    }

    /// <summary>The columns with those about uncertainty, checked.</summary>
    private protected TColumns WithUncertainty<TColumns>(string? entropyColumnName, string? uncertainColumnName, double threshold)
        where TColumns : ClassificationColumns
    {
        var uncertainty = UncertaintyColumns.Of(entropyColumnName, uncertainColumnName, threshold);
        var columns = (TColumns)(_columns with { Uncertainty = uncertainty });
        columns.CheckUncertainty(nameof(entropyColumnName), nameof(uncertainColumnName), nameof(threshold));
        return Model.Experts > 0
            ? columns
            : throw new InvalidOperationException("The model has no MoE layers: there is no router entropy to tell.");
    }
}
