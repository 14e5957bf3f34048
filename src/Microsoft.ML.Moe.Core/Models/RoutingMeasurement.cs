using System.Diagnostics;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

/// <summary>Measures a classifier with one router, a batch of rows at a time.</summary>
/// <param name="classifier">The classifier.</param>
internal sealed class RoutingMeasurement<TRow>(Classifier<TRow> classifier)
{
    private readonly RoutingTally _tally = new();
    private TimeSpan _elapsed;
    private double _lossSum;
    private double _rightSum;
    private double _flops;
    private long _rows;

    /// <summary>What was measured on all batches so far.</summary>
    public RoutingComparison Result => new(
        classifier.Router,
        _rightSum / _rows,
        _lossSum / _rows,
        (double)_tally.Pairs / _tally.Tokens,
        _flops / _rows,
        _elapsed.TotalMilliseconds / _rows);

    /// <summary>Runs a batch without counting it.</summary>
    public void WarmUp(IReadOnlyList<LabelledRow<TRow>> batch) => Evaluation.Of(classifier, batch);

    /// <summary>Adds a batch.</summary>
    public void Add(IReadOnlyList<LabelledRow<TRow>> batch)
    {
        var pairsBefore = _tally.Pairs;
        var start = Stopwatch.GetTimestamp();
        var (loss, accuracy) = Evaluation.Of(classifier, batch, _tally);
        _elapsed += Stopwatch.GetElapsedTime(start);
        _lossSum += loss * batch.Count;
        _rightSum += accuracy * batch.Count;
        _flops += classifier.Flops(batch.Select(row => row.Input), _tally.Pairs - pairsBefore);
        _rows += batch.Count;
    }
}
