using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>How good a model is on rows, added up batch by batch.</summary>
internal sealed class Measurement
{
    private const double SmallestProbability = 1e-15;
    private float[] _room = [];
    private double _loss;
    private double _metric;
    private double _weight;

    /// <summary>Rows, or hidden tokens, that were measured.</summary>
    public long Count { get; private set; }

    /// <summary>Mean loss, by the rows' weights.</summary>
    public double Loss => _loss / _weight;

    /// <summary>Mean of the head's metric, by the rows' weights: accuracy for classes and hidden tokens.</summary>
    public double Metric => _metric / _weight;

    /// <summary>Both; null where nothing was measured that has weight.</summary>
    public (double Loss, double Metric)? Result => _weight > 0 ? (Loss, Metric) : null;

    /// <summary>Adds a row.</summary>
    /// <param name="loss">Its loss.</param>
    /// <param name="metric">Its metric.</param>
    /// <param name="weight">Its weight, as in training.</param>
    public void Add(double loss, double metric, float weight)
    {
        // what does not count may be no number
        if (weight > 0f)
            AddSums(weight * loss, weight * metric, weight);
        Count++;
    }

    private void AddSums(double loss, double metric, double weight)
    {
        _loss += loss;
        _metric += metric;
        _weight += weight;
    }

    /// <summary>Adds a row by the probabilities of its classes.</summary>
    /// <param name="probabilities">C probabilities.</param>
    /// <param name="target">The right class.</param>
    /// <param name="weight">The row's weight, as in training.</param>
    public void AddProbability(ReadOnlySpan<float> probabilities, int target, float weight) => Add(
        -Math.Log(Math.Max(probabilities[target], SmallestProbability)), IndexOfMaximum(probabilities) == target ? 1 : 0, weight);

    /// <summary>Adds tokens by the scores of the vocabulary for each, [M, V].</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="scores">The scores.</param>
    /// <param name="targets">The right token of each.</param>
    /// <param name="weights">The weight of each, as in training; none where each has weight 1.</param>
    public void AddTokens(Tape tape, Tensor scores, ReadOnlySpan<int> targets, ReadOnlySpan<float> weights)
    {
        var vocabulary = scores.Columns;
        var logits = Room(scores.Length);
        scores.CopyTo(logits);
        var (weight, right) = (0.0, 0.0);
        for (var i = 0; i < targets.Length; i++)
        {
            var ofToken = weights.IsEmpty ? 1f : weights[i];
            weight += ofToken;
            right += IndexOfMaximum(logits.Slice(i * vocabulary, vocabulary)) == targets[i] ? ofToken : 0f;
        }

        if (weight > 0)
            AddSums(weight * tape.CrossEntropy(scores, targets, weights).ToArray()[0], right, weight);
        Count += targets.Length;
    }

    /// <summary>Memory for so many values, until it is asked for again.</summary>
    public Span<float> Room(int values)
    {
        if (_room.Length < values)
            _room = new float[values];
        return _room.AsSpan(0, values);
    }

    /// <summary>Where the largest value is; of equal ones the first.</summary>
    public static int IndexOfMaximum(ReadOnlySpan<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
            if (values[i] > values[best])
                best = i;
        return best;
    }
}
