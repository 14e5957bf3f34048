using Microsoft.ML.Data;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.Classification;

/// <summary>Class probabilities and, where wanted, router entropies of the rows that were scored at once.</summary>
/// <param name="lease">The classifier; disposed with this.</param>
/// <param name="read">Reads the table's current row.</param>
/// <param name="model">The added columns.</param>
/// <param name="rows">Most rows that are scored at once.</param>
/// <param name="withEntropies">Whether the routers' entropy is measured.</param>
internal sealed class ClassifierResults<TRow>(
    ModelLease<Classifier<TRow>> lease, RowReader<TRow> read, BoundClassifier model, int rows, bool withEntropies)
    : RowResults<TRow>(read, lease.Engine, rows)
{
    private readonly int _classes = lease.Model.ClassCount;
    private readonly float[] _probabilities = new float[rows * lease.Model.ClassCount];
    private readonly RowEntropy[] _entropies = withEntropies ? new RowEntropy[rows] : [];

    protected override void Score(IReadOnlyList<TRow> rows) => lease.Score(classifier =>
    {
        if (withEntropies)
            classifier.Score(rows, _probabilities, _entropies);
        else
            classifier.Score(rows, _probabilities);
    });

    public override Delegate CreateGetter(int column, Func<int> current)
    {
        if (column == model.PredictedLabel)
            return (ValueGetter<uint>)((ref uint value) => value = MostProbable(Probabilities(current())));
        if (column == model.Score)
            return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => Getters.CopyTo(Probabilities(current()), ref value));
        if (column == model.Entropy)
            return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                var (mean, max) = _entropies[current()];
                Getters.CopyTo([mean, max], ref value);
            });
        return (ValueGetter<bool>)((ref bool value) => value = _entropies[current()].Mean >= model.UncertainFrom);
    }

    public override void Dispose() => lease.Dispose();

    /// <summary>The key of the most probable class, 0 (missing) when there is none.</summary>
    private static uint MostProbable(ReadOnlySpan<float> probabilities)
    {
        // what is not a number is never more
        var (best, largest) = (0, -1f);
        for (var i = 0; i < probabilities.Length; i++)
            if (probabilities[i] > largest)
                (best, largest) = (i + 1, probabilities[i]);
        return (uint)best;
    }

    private ReadOnlySpan<float> Probabilities(int row) => _probabilities.AsSpan(row * _classes, _classes);
}
