using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>How good a model is on rows, added up batch by batch.</summary>
internal sealed class Measurement
{
    private const double SmallestProbability = 1e-15;
    private float[] _room = [];
    private double _loss;
    private double _metric;

    /// <summary>Rows, or hidden tokens, that were measured.</summary>
    public long Count { get; private set; }

    /// <summary>Mean loss.</summary>
    public double Loss => _loss / Count;

    /// <summary>Mean of the head's metric: accuracy for classes and hidden tokens.</summary>
    public double Metric => _metric / Count;

    /// <summary>Both; null where nothing was measured.</summary>
    public (double Loss, double Metric)? Result => Count == 0 ? null : (Loss, Metric);

    /// <summary>Adds sums over some rows.</summary>
    public void Add(double loss, double metric, int count)
    {
        _loss += loss;
        _metric += metric;
        Count += count;
    }

    /// <summary>Adds a row by the probabilities of its classes.</summary>
    /// <param name="probabilities">C probabilities.</param>
    /// <param name="target">The right class.</param>
    public void AddProbability(ReadOnlySpan<float> probabilities, int target) => Add(
        -Math.Log(Math.Max(probabilities[target], SmallestProbability)), IndexOfMaximum(probabilities) == target ? 1 : 0, 1);

    /// <summary>Adds tokens by the scores of the vocabulary for each, [M, V].</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="scores">The scores.</param>
    /// <param name="targets">The right token of each.</param>
    public void AddTokens(Tape tape, Tensor scores, ReadOnlySpan<int> targets)
    {
        var vocabulary = scores.Columns;
        var loss = targets.Length * (double)tape.CrossEntropy(scores, targets, []).ToArray()[0];
        var logits = Room(scores.Length);
        scores.CopyTo(logits);
        var right = 0;
        for (var i = 0; i < targets.Length; i++)
            right += IndexOfMaximum(logits.Slice(i * vocabulary, vocabulary)) == targets[i] ? 1 : 0;
        Add(loss, right, targets.Length);
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
