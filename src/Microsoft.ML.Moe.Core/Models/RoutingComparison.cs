using System.Diagnostics;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

/// <summary>What a model does with one router; a row of <see cref="Model{TRow}.CompareRouting"/>'s table.</summary>
/// <param name="Router">The router.</param>
/// <param name="Accuracy">Share of the rows whose most probable class is their label, within [0, 1].</param>
/// <param name="LogLoss">Mean negative log-likelihood of the labels, in nats.</param>
/// <param name="ExpertsPerToken">Experts that a token was sent to, the mean over tokens and MoE layers, as measured.</param>
/// <param name="FlopsPerRow">
/// Mean floating-point operations of a row's forward pass: two for each multiply-add of a product of matrices, those of the experts
/// counted from what was routed. Table look-ups (the wide branch among them), norms, activations, softmax and the choice of experts
/// are not counted.
/// </param>
/// <param name="MillisecondsPerRow">
/// Wall-clock time of the rows' forward passes in batches, after a warm-up, by the number of rows. The routers of one call take turns,
/// so that their times can be compared with each other.
/// </param>
public sealed record RoutingComparison(
    Router Router, double Accuracy, double LogLoss, double ExpertsPerToken, double FlopsPerRow, double MillisecondsPerRow);

/// <summary>Measures a classifier with one router, a batch of rows at a time.</summary>
/// <param name="model">The model.</param>
internal sealed class RoutingMeasurement<TRow>(Model<TRow> model)
{
    private readonly RoutingTally _tally = new();
    private TimeSpan _elapsed;
    private double _lossSum;
    private double _rightSum;
    private double _flops;
    private long _rows;

    /// <summary>What was measured on all batches so far.</summary>
    public RoutingComparison Result => new(
        model.Router,
        _rightSum / _rows,
        _lossSum / _rows,
        (double)_tally.Pairs / _tally.Tokens,
        _flops / _rows,
        _elapsed.TotalMilliseconds / _rows);

    /// <summary>Runs a batch without counting it.</summary>
    public void WarmUp(IReadOnlyList<Example<TRow>> batch) => model.Measure(batch);

    /// <summary>Adds a batch.</summary>
    public void Add(IReadOnlyList<Example<TRow>> batch)
    {
        var pairsBefore = _tally.Pairs;
        var start = Stopwatch.GetTimestamp();
        var measured = model.Measure(Alike(batch), observer: _tally);
        _elapsed += Stopwatch.GetElapsedTime(start);
        _lossSum += measured.Loss * batch.Count;
        _rightSum += measured.Metric * batch.Count;
        _flops += model.Flops(batch.Select(row => row.Input), _tally.Pairs - pairsBefore);
        _rows += batch.Count;
    }

    // what is told is of rows, however much each counts in a loss
    private static IReadOnlyList<Example<TRow>> Alike(IReadOnlyList<Example<TRow>> batch) =>
        batch.All(row => row.Weight == 1f) ? batch : [.. batch.Select(row => row with { Weight = 1f })];
}
