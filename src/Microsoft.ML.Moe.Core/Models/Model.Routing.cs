using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

public sealed partial class Model<TRow>
{
    /// <summary>Seeds the tokens to hide when a model is measured by them, so that every measurement hides the same.</summary>
    private const int MeasurementSeed = 15;

    /// <summary>Experts in each MoE layer, N; 0 in a model without MoE layers.</summary>
    public int Experts => Config.MoeBlocks.Count == 0 ? 0 : Config.Encoder.Experts;

    /// <summary>What the model gives for rows, and how unsure the routers are about each.</summary>
    /// <param name="rows">Encoded by this model's input.</param>
    /// <param name="outputs">Receives rows × <see cref="Outputs"/> values, row-major.</param>
    /// <param name="entropies">Receives one value for each row.</param>
    /// <exception cref="ArgumentException">One of the spans is too short.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public void Score(IReadOnlyList<TRow> rows, Span<float> outputs, Span<RowEntropy> entropies)
    {
        ArgumentNullException.ThrowIfNull(rows);
        Config.CheckRoutes();
        if (entropies.Length < rows.Count)
            throw new ArgumentException($"{rows.Count} rows need more room.", nameof(entropies));
        var observer = new RowEntropyObserver(rows.Count);
        Score(rows, outputs, observer);
        observer.CopyTo(entropies);
    }

    /// <summary>
    /// Tells what the routers do with a table. Rows are read once, in order; memory does not grow with their number. Of an encoder–decoder the
    /// decoder's blocks count after the encoder's.
    /// </summary>
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
        Config.CheckRoutes();
        var builder = new RoutingReportBuilder(Router, Config.Encoder.Experts, Config.MoeBlocks, options, Config.Encoder.Layers);
        var done = 0L;
        foreach (var batch in rows.Chunk(ScoringPasses.Rows))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Score(batch, new float[batch.Length * Outputs], Observe(builder, batch));
            options.RowsCompleted?.Invoke(done += batch.Length);
        }

        cancellationToken.ThrowIfCancellationRequested();
        return builder.Build(Engine);
    }

    /// <summary>
    /// Measures what this classifier does with other routers, without training. The routers take turns, a batch of rows each, so that
    /// what else the machine does meets all of them alike: times of one call can be compared with each other.
    /// </summary>
    /// <param name="rows">Labelled rows, at least one; their weights are ignored.</param>
    /// <param name="routers">Routers to compare, at least one.</param>
    /// <returns>One result for each router, in their order.</returns>
    /// <exception cref="ArgumentException">There are no rows or no routers, a router does not fit, or a label is no class.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers, or is no classifier.</exception>
    /// <remarks>With a scope other than <see cref="RoutingScope.Sequence"/>, results depend on which rows are scored together.</remarks>
    public IReadOnlyList<RoutingComparison> CompareRouting(IReadOnlyList<Example<TRow>> rows, IReadOnlyList<Router> routers)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(routers);
        if (rows.Count == 0)
            throw new ArgumentException("There are no rows to compare on.", nameof(rows));
        if (Head is not ClassifierHead)
            throw new InvalidOperationException("The model is no classifier: there is no accuracy to compare.");
        foreach (var row in rows)
            ClassTargets.Check(row.Target, Outputs, nameof(rows));
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

    /// <summary>Measures the model on rows with targets.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="packer">Packs them; null for the model's own.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    internal Measurement Measure(IReadOnlyList<Example<TRow>> rows, Packer<TRow>? packer = null, IRoutingObserver? observer = null)
    {
        packer ??= CreatePacker(keepsLayouts: MayBeKept(observer));
        var (measurement, targets, random) = (new Measurement(), new Targets(), new Random(MeasurementSeed));
        var inputs = new List<TRow>();
        foreach (var pass in ScoringPasses.Of(rows, row => TokensOfPass(row.Input), Config.Encoder, padded: !Router.MaskPadding))
        {
            inputs.Clear();
            targets.Begin(pass.Count);
            foreach (var row in pass)
            {
                inputs.Add(row.Input);
                targets.Add(row.Target, row.Weight);
            }

            var batch = packer.Pack(inputs, random);
            if (batch.IsEmpty)
                continue;
            using var tape = BeginScoring(observer);
            var scores = Forward(tape, batch, observer, Policies);
            if (Outputs == 0)
            {
                Head.Measure(tape, scores, batch, targets, measurement);
                continue;
            }

            var outputs = measurement.Room(inputs.Count * Outputs);
            Head.Write(tape, scores, outputs);
            Branch?.Combine(Engine, inputs, outputs);
            Head.Measure(outputs, targets, measurement);
        }

        return measurement;
    }

    private int TokensOfPass(TRow row) => Input.LoadOf(row) + Input.TargetTokensOf(row);

    private IRoutingObserver Observe(RoutingReportBuilder builder, TRow[] rows) => builder.Observe(
        rows.Length,
        rows.Sum(row => (long)Input.TokensOf(row)),
        rows.Sum(row => (long)Input.TokensCutOffOf(row)),
        (block, row, position) => block < Config.Encoder.Layers
            ? Input.TextOf(rows[row], position)
            : Input.TextOfTarget(rows[row], position));
}
