using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

public abstract partial class Classifier<TRow>
{
    /// <summary>Experts in each MoE layer, N; 0 in a model without MoE layers.</summary>
    public int Experts => _config.MoeLayers == 0 ? 0 : _config.Experts;

    /// <summary>Class probabilities of rows, and how unsure the routers are about each.</summary>
    /// <param name="rows">Encoded by this model's input.</param>
    /// <param name="probabilities">Receives rows × C values, row-major; each row sums to 1.</param>
    /// <param name="entropies">Receives one value for each row.</param>
    /// <exception cref="ArgumentException">One of the spans is too short.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public void Score(IReadOnlyList<TRow> rows, Span<float> probabilities, Span<RowEntropy> entropies)
    {
        ArgumentNullException.ThrowIfNull(rows);
        CheckRoutes();
        if (entropies.Length < rows.Count)
            throw new ArgumentException($"{rows.Count} rows need more room.", nameof(entropies));
        var observer = new RowEntropyObserver(rows.Count);
        ScoreObserved(rows, probabilities, observer);
        observer.CopyTo(entropies);
    }

    /// <summary>Tells what the routers do with a table. Rows are read once, in order; memory does not grow with their number.</summary>
    /// <param name="rows">Encoded by this model's input.</param>
    /// <param name="options">What the report shall hold; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is impossible; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public RoutingReport ReportRouting(
        IEnumerable<TRow> rows, RoutingReportOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        options = options?.Copy() ?? new RoutingReportOptions();
        options.Validate();
        CheckRoutes();
        var builder = new RoutingReportBuilder(Router, _config.Experts, _config.MoeBlocks, options);
        var done = 0L;
        foreach (var batch in rows.Chunk(ScoringPasses.Rows))
        {
            cancellationToken.ThrowIfCancellationRequested();
            ScoreObserved(batch, new float[batch.Length * ClassCount], Observe(builder, batch));
            options.RowsCompleted?.Invoke(done += batch.Length);
        }

        cancellationToken.ThrowIfCancellationRequested();
        return builder.Build(Engine);
    }

    /// <summary>
    /// Measures what this model does with other routers, without training. The routers take turns, a batch of rows each, so that
    /// what else the machine does meets all of them alike: times of one call can be compared with each other.
    /// </summary>
    /// <param name="rows">Labelled rows, at least one; their weights are ignored.</param>
    /// <param name="routers">Routers to compare, at least one.</param>
    /// <returns>One result for each router, in their order.</returns>
    /// <exception cref="ArgumentException">There are no rows or no routers, a router is impossible, or a label is no class.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <remarks>With a scope other than <see cref="RoutingScope.Sequence"/>, results depend on which rows are scored together.</remarks>
    public IReadOnlyList<RoutingComparison> CompareRouting(IReadOnlyList<LabelledRow<TRow>> rows, IReadOnlyList<RouterSettings> routers)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(routers);
        if (rows.Count == 0)
            throw new ArgumentException("There are no rows to compare on.", nameof(rows));
        foreach (var row in rows)
            if ((uint)row.Label >= (uint)ClassCount)
                throw new ArgumentException($"Label {row.Label} is not within the {ClassCount} classes.", nameof(rows));
        if (routers.Count == 0)
            throw new ArgumentException("There are no routers to compare.", nameof(routers));
        // all are checked before the first is measured
        RoutingMeasurement<TRow>[] measurements = [.. routers.Select(router => new RoutingMeasurement<TRow>(WithRouting(router)))];
        var batches = rows.Chunk(ScoringPasses.Rows).ToList();
        foreach (var measurement in measurements)
            measurement.WarmUp(batches[0]);
        for (var batch = 0; batch < batches.Count; batch++)
            for (var turn = 0; turn < measurements.Length; turn++)
                measurements[(batch + turn) % measurements.Length].Add(batches[batch]);
        return [.. measurements.Select(m => m.Result)];
    }

    private IRoutingObserver Observe(RoutingReportBuilder builder, TRow[] rows) => builder.Observe(
        rows.Length,
        rows.Sum(row => (long)TokensOf(row)),
        rows.Sum(row => (long)TokensCutOffOf(row)),
        (row, position) => TextOf(rows[row], position));
}
