namespace Microsoft.ML.Moe.Evaluation;

/// <summary>How often each class was taken for each, and what follows from it. Shares of nothing count as 0.</summary>
internal sealed class ConfusionCounts
{
    private readonly int[,] _counts;
    private readonly int[] _actual;
    private readonly int[] _predicted;
    private readonly int _rows;
    private readonly int _right;

    /// <summary>Counts.</summary>
    /// <param name="labels">Class of each row, within [0, <paramref name="classes"/>).</param>
    /// <param name="predictions">Predicted class of each row, as many.</param>
    /// <param name="classes">Number of classes.</param>
    /// <exception cref="ArgumentException">There are no rows, or not as many predictions as labels.</exception>
    public ConfusionCounts(ReadOnlySpan<int> labels, ReadOnlySpan<int> predictions, int classes)
    {
        if (labels.Length == 0 || labels.Length != predictions.Length)
            throw new ArgumentException($"There are {labels.Length} labels and {predictions.Length} predictions.", nameof(predictions));
        (_counts, _actual, _predicted, _rows) = (new int[classes, classes], new int[classes], new int[classes], labels.Length);
        for (var i = 0; i < labels.Length; i++)
        {
            _counts[labels[i], predictions[i]]++;
            _actual[labels[i]]++;
            _predicted[predictions[i]]++;
            _right += labels[i] == predictions[i] ? 1 : 0;
        }
    }

    /// <summary>Rows of a class that were taken for a class.</summary>
    public int this[int actual, int predicted] => _counts[actual, predicted];

    /// <summary>Share of rows that are right.</summary>
    public double Accuracy => (double)_right / _rows;

    /// <summary>Mean over the classes that occur of the share of their rows that are right.</summary>
    public double BalancedAccuracy => Occurring(_actual).Average(Recall);

    /// <summary>Mean F1 over the classes that occur among labels or predictions.</summary>
    public double MacroF1 => Present.Average(F1);

    /// <summary>Mean precision over those classes.</summary>
    public double MacroPrecision => Present.Average(Precision);

    /// <summary>Mean recall over those classes.</summary>
    public double MacroRecall => Present.Average(Recall);

    /// <summary>F1 of all decisions together, which is the accuracy where every row has one class.</summary>
    public double MicroF1 => Accuracy;

    /// <summary>Mean F1 weighted by the classes' rows.</summary>
    public double WeightedF1 => Weighted(F1);

    /// <summary>Mean precision weighted by the classes' rows.</summary>
    public double WeightedPrecision => Weighted(Precision);

    /// <summary>Mean recall weighted by the classes' rows.</summary>
    public double WeightedRecall => Weighted(Recall);

    /// <summary>Matthews' correlation (Gorodkin 2004 for more than two classes); 0 where labels or predictions are all the same.</summary>
    public double Matthews => MatthewsOf(_rows, _right, _actual, _predicted);

    /// <summary>Cohen's kappa: accuracy beyond that of chance; NaN where chance is always right.</summary>
    public double Kappa
    {
        get
        {
            var chance = 0.0;
            for (var c = 0; c < _actual.Length; c++)
                chance += (double)_actual[c] / _rows * _predicted[c] / _rows;
            return (Accuracy - chance) / (1.0 - chance);
        }
    }

    /// <summary>Matthews' correlation, as <see cref="Matthews"/>, without a table of classes × classes.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="right">Rows that are right.</param>
    /// <param name="actual">Rows of each class.</param>
    /// <param name="predicted">Rows taken for each class, of as many classes.</param>
    public static double MatthewsOf(int rows, int right, ReadOnlySpan<int> actual, ReadOnlySpan<int> predicted)
    {
        var (all, both, actualSquares, predictedSquares) = ((double)rows, 0.0, 0.0, 0.0);
        for (var c = 0; c < actual.Length; c++)
        {
            both += (double)actual[c] * predicted[c];
            actualSquares += (double)actual[c] * actual[c];
            predictedSquares += (double)predicted[c] * predicted[c];
        }

        var scale = ((all * all) - actualSquares) * ((all * all) - predictedSquares);
        return scale == 0 ? 0 : ((right * all) - both) / Math.Sqrt(scale);
    }

    private IEnumerable<int> Present => Enumerable.Range(0, _actual.Length).Where(c => _actual[c] + _predicted[c] > 0);

    /// <summary>Share of the rows taken for a class that are of it.</summary>
    public double Precision(int c) => Share(_counts[c, c], _predicted[c]);

    /// <summary>Share of the rows of a class that were taken for it.</summary>
    public double Recall(int c) => Share(_counts[c, c], _actual[c]);

    /// <summary>Harmonic mean of precision and recall.</summary>
    public double F1(int c) => Share(2 * _counts[c, c], _actual[c] + _predicted[c]);

    private static double Share(int part, int whole) => whole == 0 ? 0 : (double)part / whole;

    private static IEnumerable<int> Occurring(int[] counts) => Enumerable.Range(0, counts.Length).Where(c => counts[c] > 0);

    private double Weighted(Func<int, double> value) => Occurring(_actual).Sum(c => value(c) * _actual[c]) / _rows;
}
