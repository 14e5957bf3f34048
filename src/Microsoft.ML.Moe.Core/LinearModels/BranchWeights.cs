namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// How much each branch of a classifier counts: the probabilities are softmax(Σ aₖ · log pₖ) with aₖ ≥ 0, a product of experts (Hinton
/// 2002) with weights. Their sum is the inverse of a temperature (Guo et al. 2017), their ratio says whom to trust. A branch that does
/// not help gets 0.
/// </summary>
internal static class BranchWeights
{
    /// <summary>
    /// Rows that the assumption counts as much as: with fewer held-out rows the weights stay near it, with many more it has no say.
    /// </summary>
    public const double AssumedRows = 10;

    /// <summary>What is assumed of a network and of a linear branch, in this order: about what tables of several kinds gave.</summary>
    public static IReadOnlyList<double> Assumed { get; } = [0.5, 0.9];

    private const int MostSteps = 50;
    private const double SmallestDecrease = 1e-10;

    /// <summary>The mean log-loss with the weights that <see cref="Fit"/> finds, on the rows that it finds them on.</summary>
    public static double LossOf(
        IReadOnlyList<float[]> logarithms, ReadOnlySpan<int> labels, ReadOnlySpan<float> rowWeights, IReadOnlyList<double> assumed) =>
        LossWith(logarithms, labels, rowWeights, Fit(logarithms, labels, rowWeights, assumed));

    /// <summary>The mean log-loss with given weights.</summary>
    public static double LossWith(
        IReadOnlyList<float[]> logarithms, ReadOnlySpan<int> labels, ReadOnlySpan<float> rowWeights, double[] weights)
    {
        var sum = 0.0;
        foreach (var weight in rowWeights)
            sum += weight;
        if (!(sum > 0))
            return 0;
        return Evaluate(
            logarithms, labels, rowWeights, logarithms[0].Length / labels.Length, weights, 0, weights, new Curve(weights.Length)) / sum;
    }

    /// <summary>Fits the weights by log-loss on rows that no branch has learned from.</summary>
    /// <param name="logarithms">For each branch log probabilities of n rows × C classes.</param>
    /// <param name="labels">Class of each of the n rows.</param>
    /// <param name="rowWeights">Weight of each row, at least 0.</param>
    /// <param name="assumed">Weight of each branch where there is nothing to go by.</param>
    /// <param name="assumedRows">See <see cref="AssumedRows"/>.</param>
    /// <returns>A weight for each branch, at least 0.</returns>
    /// <exception cref="ArgumentException">Lengths do not fit each other.</exception>
    public static double[] Fit(
        IReadOnlyList<float[]> logarithms,
        ReadOnlySpan<int> labels,
        ReadOnlySpan<float> rowWeights,
        IReadOnlyList<double> assumed,
        double assumedRows = AssumedRows)
    {
        var branches = logarithms.Count;
        if (assumed.Count != branches || branches == 0)
            throw new ArgumentException($"{branches} branches need as many assumed weights, not {assumed.Count}.", nameof(assumed));
        if (rowWeights.Length != labels.Length)
            throw new ArgumentException($"{labels.Length} labels need as many weights, not {rowWeights.Length}.", nameof(rowWeights));
        var weights = assumed.ToArray();
        if (labels.IsEmpty)
            return weights;
        var classes = logarithms[0].Length / labels.Length;
        foreach (var branch in logarithms)
            if (branch.Length != classes * labels.Length)
                throw new ArgumentException("Branches have different numbers of rows or classes.", nameof(logarithms));

        var curve = new Curve(branches);
        var value = Evaluate(logarithms, labels, rowWeights, classes, assumed, assumedRows, weights, curve);
        var tried = new double[branches];
        var other = new Curve(branches);
        for (var step = 0; step < MostSteps; step++)
        {
            var direction = curve.Solve(weights);
            var length = 1.0;
            double reached;
            do
            {
                for (var k = 0; k < branches; k++)
                    tried[k] = Math.Max(0, weights[k] - length * direction[k]);
                reached = Evaluate(logarithms, labels, rowWeights, classes, assumed, assumedRows, tried, other);
                length /= 2;
            }
            while (reached > value && length > 1e-6);

            if (reached > value)
                break;
            var decrease = value - reached;
            (value, curve, other) = (reached, other, curve);
            tried.CopyTo(weights, 0);
            if (decrease <= SmallestDecrease * Math.Abs(value))
                break;
        }

        return weights;
    }

    /// <summary>Adds up branches.</summary>
    /// <param name="logarithms">For each branch log probabilities of rows.</param>
    /// <param name="weights">A weight for each branch.</param>
    /// <param name="classes">Number of classes, C.</param>
    /// <returns>Log probabilities of the rows.</returns>
    public static float[] Combine(IReadOnlyList<float[]> logarithms, IReadOnlyList<double> weights, int classes)
    {
        var sum = new float[logarithms[0].Length];
        for (var k = 0; k < logarithms.Count; k++)
            for (var i = 0; i < sum.Length; i++)
                sum[i] += (float)weights[k] * logarithms[k][i];
        for (var start = 0; start < sum.Length; start += classes)
            Softmax.Logarithms(sum.AsSpan(start, classes));
        return sum;
    }

    /// <summary>Sum over rows of the loss, and half the squared distance from the assumption times the rows that it counts as.</summary>
    private static double Evaluate(
        IReadOnlyList<float[]> logarithms,
        ReadOnlySpan<int> labels,
        ReadOnlySpan<float> rowWeights,
        int classes,
        IReadOnlyList<double> assumed,
        double assumedRows,
        double[] weights,
        Curve curve)
    {
        var branches = weights.Length;
        curve.Begin(weights, assumed, assumedRows);
        var value = 0.0;
        for (var k = 0; k < branches; k++)
            value += 0.5 * assumedRows * (weights[k] - assumed[k]) * (weights[k] - assumed[k]);
        var powers = new double[classes];
        var weighted = new double[classes];
        var means = new double[branches];
        for (var row = 0; row < labels.Length; row++)
        {
            if (rowWeights[row] <= 0)
                continue;
            var start = row * classes;
            powers.AsSpan().Clear();
            for (var k = 0; k < branches; k++)
                DoubleVectors.Add(logarithms[k].AsSpan(start, classes), weights[k], powers);
            var ofLabel = powers[labels[row]];
            var (largest, sum) = DoubleVectors.Exponentials(powers);
            value += rowWeights[row] * (Math.Log(sum) + largest - ofLabel);
            for (var k = 0; k < branches; k++)
            {
                var own = logarithms[k].AsSpan(start, classes);
                DoubleVectors.Multiply(own, powers, weighted);
                means[k] = weighted.Sum() / sum;
                curve.Gradient[k] += rowWeights[row] * (means[k] - own[labels[row]]);
                for (var j = 0; j <= k; j++)
                {
                    var products = DoubleVectors.SumOfProducts(logarithms[j].AsSpan(start, classes), weighted);
                    curve.Hessian[k, j] += rowWeights[row] * (products / sum - means[k] * means[j]);
                }
            }
        }

        return value;
    }

    /// <summary>Gradient and Hessian of the loss.</summary>
    private sealed class Curve(int branches)
    {
        public double[] Gradient { get; } = new double[branches];

        /// <summary>Its lower half.</summary>
        public double[,] Hessian { get; } = new double[branches, branches];

        public void Begin(double[] weights, IReadOnlyList<double> assumed, double assumedRows)
        {
            Array.Clear(Hessian);
            for (var k = 0; k < branches; k++)
            {
                Gradient[k] = assumedRows * (weights[k] - assumed[k]);
                Hessian[k, k] = Math.Max(assumedRows, 1e-6);
            }
        }

        /// <summary>Hessian⁻¹ · gradient over the weights that may move: not those at 0 that would go below.</summary>
        public double[] Solve(double[] weights)
        {
            int[] free = [.. Enumerable.Range(0, branches).Where(k => weights[k] > 0 || Gradient[k] < 0)];
            var n = free.Length;
            var lower = new double[n, n];
            var solution = new double[n];
            for (var i = 0; i < n; i++)
            {
                for (var j = 0; j <= i; j++)
                {
                    var value = Hessian[free[i], free[j]];
                    for (var k = 0; k < j; k++)
                        value -= lower[i, k] * lower[j, k];
                    lower[i, j] = i == j ? Math.Sqrt(Math.Max(value, 1e-12)) : value / lower[j, j];
                }

                solution[i] = Gradient[free[i]];
                for (var k = 0; k < i; k++)
                    solution[i] -= lower[i, k] * solution[k];
                solution[i] /= lower[i, i];
            }

            for (var i = n - 1; i >= 0; i--)
            {
                for (var k = i + 1; k < n; k++)
                    solution[i] -= lower[k, i] * solution[k];
                solution[i] /= lower[i, i];
            }

            var direction = new double[branches];
            for (var i = 0; i < n; i++)
                direction[free[i]] = solution[i];
            return direction;
        }
    }
}
