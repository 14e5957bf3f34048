namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// How well clusters agree with classes (Rosenberg and Hirschberg 2007 for homogeneity, completeness and v-measure; Hubert and Arabie 1985
/// for the adjusted Rand index; Vinh, Epps and Bailey 2010 for the adjusted mutual information). Natural logarithms.
/// </summary>
internal sealed class ClusterAgreement
{
    private const double Smallest = 1.0 / (1L << 52);

    private readonly int[] _ofClass;
    private readonly int[] _ofCluster;
    private readonly int[] _common;
    private readonly int _rows;

    /// <summary>Counts.</summary>
    /// <param name="classes">Class of each row; any numbers.</param>
    /// <param name="clusters">Cluster of each row; any numbers, as many.</param>
    /// <exception cref="ArgumentException">There are no rows, or not as many clusters as classes.</exception>
    public ClusterAgreement(ReadOnlySpan<int> classes, ReadOnlySpan<int> clusters)
    {
        if (classes.Length == 0 || classes.Length != clusters.Length)
            throw new ArgumentException($"There are {classes.Length} classes and {clusters.Length} clusters.", nameof(clusters));
        _rows = classes.Length;
        var (ofClass, ofCluster, common) = (new Dictionary<int, int>(), new Dictionary<int, int>(), new Dictionary<(int, int), int>());
        for (var i = 0; i < _rows; i++)
        {
            ofClass[classes[i]] = ofClass.GetValueOrDefault(classes[i]) + 1;
            ofCluster[clusters[i]] = ofCluster.GetValueOrDefault(clusters[i]) + 1;
            common[(classes[i], clusters[i])] = common.GetValueOrDefault((classes[i], clusters[i])) + 1;
        }

        (_ofClass, _ofCluster, _common) = ([.. ofClass.Values], [.. ofCluster.Values], [.. common.Values]);
        MutualInformation = Math.Max(0, common.Sum(c =>
            (double)c.Value / _rows * Math.Log((double)c.Value * _rows / ((double)ofClass[c.Key.Item1] * ofCluster[c.Key.Item2]))));
        (ClassEntropy, ClusterEntropy) = (Entropy(_ofClass), Entropy(_ofCluster));
    }

    /// <summary>Mutual information of classes and clusters.</summary>
    public double MutualInformation { get; }

    /// <summary>Share of the classes' entropy that the clusters tell; 1 where there is one class.</summary>
    public double Homogeneity => ClassEntropy == 0 ? 1 : MutualInformation / ClassEntropy;

    /// <summary>Share of the clusters' entropy that the classes tell; 1 where there is one cluster.</summary>
    public double Completeness => ClusterEntropy == 0 ? 1 : MutualInformation / ClusterEntropy;

    /// <summary>Harmonic mean of homogeneity and completeness.</summary>
    public double VMeasure => Homogeneity + Completeness is var sum && sum == 0 ? 0 : 2 * Homogeneity * Completeness / sum;

    /// <summary>Mutual information over the mean of both entropies; 1 where classes and clusters are one each.</summary>
    public double NormalisedMutualInformation => IsTrivial
        ? 1
        : MutualInformation == 0 ? 0 : MutualInformation / ((ClassEntropy + ClusterEntropy) / 2);

    /// <summary>The same beyond what clusters of these sizes have by chance.</summary>
    public double AdjustedMutualInformation
    {
        get
        {
            if (IsTrivial)
                return 1;
            var expected = ExpectedMutualInformation();
            var scale = ((ClassEntropy + ClusterEntropy) / 2) - expected;
            // Rounding must not make it 0.
            return (MutualInformation - expected) / (scale < 0 ? Math.Min(scale, -Smallest) : Math.Max(scale, Smallest));
        }
    }

    /// <summary>Share of pairs of rows that classes and clusters treat alike, beyond chance.</summary>
    public double AdjustedRandIndex
    {
        get
        {
            var (both, inClass, inCluster) = (Pairs(_common), Pairs(_ofClass), Pairs(_ofCluster));
            var all = _rows * (_rows - 1.0) / 2;
            if (inClass == both && inCluster == both)
                return 1;
            var chance = inClass * inCluster / all;
            return (both - chance) / (((inClass + inCluster) / 2) - chance);
        }
    }

    private double ClassEntropy { get; }

    private double ClusterEntropy { get; }

    private bool IsTrivial =>
        (_ofClass.Length == 1 && _ofCluster.Length == 1) || (_ofClass.Length == _rows && _ofCluster.Length == _rows);

    private double ExpectedMutualInformation()
    {
        var logFactorial = new double[_rows + 1];
        for (var i = 2; i <= _rows; i++)
            logFactorial[i] = logFactorial[i - 1] + Math.Log(i);
        var sum = 0.0;
        foreach (var a in _ofClass)
        {
            foreach (var b in _ofCluster)
            {
                var fixedPart = logFactorial[a] + logFactorial[b] + logFactorial[_rows - a] + logFactorial[_rows - b] - logFactorial[_rows];
                for (var n = Math.Max(1, a + b - _rows); n <= Math.Min(a, b); n++)
                {
                    var logChance = fixedPart
                        - logFactorial[n] - logFactorial[a - n] - logFactorial[b - n] - logFactorial[_rows - a - b + n];
                    sum += (double)n / _rows * Math.Log((double)n * _rows / ((double)a * b)) * Math.Exp(logChance);
                }
            }
        }

        return sum;
    }

    private double Entropy(int[] counts) =>
        counts.Length == 1 ? 0 : -counts.Sum(c => (double)c / _rows * Math.Log((double)c / _rows));

    private static double Pairs(int[] counts) => counts.Sum(c => c * (c - 1.0) / 2);
}
