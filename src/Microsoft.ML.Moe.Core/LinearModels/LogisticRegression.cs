namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Logistic regression on dense rows in double precision: the smallest mean log-loss + ½ ‖W‖² / (C · rows), without penalty on the
/// intercepts. Two classes have one vector of weights, for the second, more classes one each. The same objective, start and descent as
/// scikit-learn's <c>LogisticRegression</c>, which published evaluations of embeddings use.
/// </summary>
internal sealed class LogisticRegression
{
    private readonly double[] _weights;
    private readonly int _features;
    private readonly int _outputs;

    private LogisticRegression(double[] weights, int features, int outputs, int steps, double objective) =>
        (_weights, _features, _outputs, Steps, Objective) = (weights, features, outputs, steps, objective);

    /// <summary>Number of classes.</summary>
    public int Classes => _outputs == 1 ? 2 : _outputs;

    /// <summary>Steps that the descent took.</summary>
    public int Steps { get; }

    /// <summary>The objective where it ended.</summary>
    public double Objective { get; }

    /// <summary>Weights of an output: the second class's where there are two classes, else the class's.</summary>
    public ReadOnlySpan<double> Weights(int output) => _weights.AsSpan(output * (_features + 1), _features);

    /// <summary>Intercept of an output; 0 without intercepts.</summary>
    public double Intercept(int output) => _weights[(output * (_features + 1)) + _features];

    /// <summary>Fits.</summary>
    /// <param name="rows">Rows, of the same length.</param>
    /// <param name="labels">Class of each row, within [0, <paramref name="classes"/>), each class with a row.</param>
    /// <param name="classes">Number of classes, at least 2.</param>
    /// <param name="inverseRegularisation">C: the smaller, the stronger the penalty.</param>
    /// <param name="hasIntercept">Whether there are intercepts.</param>
    /// <param name="tolerance">Ends where no element of the gradient is larger.</param>
    /// <param name="mostSteps">Steps at most.</param>
    /// <param name="cancellation">Ends it with an exception.</param>
    /// <exception cref="ArgumentException">There are no rows, or not as many labels.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static LogisticRegression Fit(
        IReadOnlyList<float[]> rows,
        IReadOnlyList<int> labels,
        int classes,
        double inverseRegularisation = 1,
        bool hasIntercept = true,
        double tolerance = 1e-4,
        int mostSteps = 100,
        CancellationToken cancellation = default)
    {
        if (rows.Count == 0 || rows.Count != labels.Count)
            throw new ArgumentException($"There are {rows.Count} rows and {labels.Count} labels.", nameof(labels));
        var (features, outputs) = (rows[0].Length, classes == 2 ? 1 : classes);
        var penalty = 1.0 / (inverseRegularisation * rows.Count);
        var weights = new double[outputs * (features + 1)];
        var descent = new LimitedMemoryBfgs(tolerance, mostSteps);
        var terms = new double[outputs];
        var objective = descent.Descend(
            (w, gradient) =>
            {
                gradient.Clear();
                var loss = 0.0;
                for (var i = 0; i < rows.Count; i++)
                {
                    Score(w, rows[i], terms);
                    loss += LossToSlopes(terms, labels[i]);
                    for (var o = 0; o < outputs; o++)
                        AddRow(terms[o] / rows.Count, rows[i], hasIntercept, gradient.Slice(o * (features + 1), features + 1));
                }

                var squares = 0.0;
                for (var k = 0; k < w.Length; k++)
                {
                    if (k % (features + 1) == features)
                        continue;
                    squares += w[k] * w[k];
                    gradient[k] += penalty * w[k];
                }

                return (loss / rows.Count) + (0.5 * penalty * squares);
            },
            weights,
            cancellation);
        return new LogisticRegression(weights, features, outputs, descent.Steps, objective);
    }

    /// <summary>The class of a row.</summary>
    public int Predict(ReadOnlySpan<float> row)
    {
        Span<double> scores = _outputs <= 64 ? stackalloc double[_outputs] : new double[_outputs];
        Score(_weights, row, scores);
        if (_outputs == 1)
            return scores[0] > 0 ? 1 : 0;
        var best = 0;
        for (var c = 1; c < scores.Length; c++)
            if (scores[c] > scores[best])
                best = c;
        return best;
    }

    /// <summary>Probabilities of the classes.</summary>
    public double[] Probabilities(ReadOnlySpan<float> row)
    {
        var scores = new double[_outputs];
        Score(_weights, row, scores);
        if (_outputs == 1)
        {
            var second = 1 / (1 + Math.Exp(-scores[0]));
            return [1 - second, second];
        }

        ToProbabilities(scores);
        return scores;
    }

    private static void Score(ReadOnlySpan<double> weights, ReadOnlySpan<float> row, Span<double> scores)
    {
        for (var o = 0; o < scores.Length; o++)
        {
            var w = weights.Slice(o * (row.Length + 1), row.Length + 1);
            var score = w[row.Length];
            for (var k = 0; k < row.Length; k++)
                score += w[k] * row[k];
            scores[o] = score;
        }
    }

    /// <summary>Turns scores into the slopes of the log-loss by them.</summary>
    /// <returns>The log-loss.</returns>
    private static double LossToSlopes(Span<double> scores, int label)
    {
        if (scores.Length == 1)
        {
            var (score, sign) = (scores[0], label == 1 ? 1 : -1);
            scores[0] = -sign / (1 + Math.Exp(sign * score));
            // ln(1 + e^−s) without overflow
            return Math.Max(0, -sign * score) + Math.Log(1 + Math.Exp(-Math.Abs(score)));
        }

        var ofLabel = scores[label];
        var loss = ToProbabilities(scores) - ofLabel;
        scores[label] -= 1;
        return loss;
    }

    /// <summary>Turns scores into probabilities.</summary>
    /// <returns>ln Σ exp of the scores.</returns>
    private static double ToProbabilities(Span<double> scores)
    {
        var largest = double.NegativeInfinity;
        foreach (var score in scores)
            largest = Math.Max(largest, score);
        var sum = 0.0;
        foreach (ref var score in scores)
            sum += score = Math.Exp(score - largest);
        foreach (ref var score in scores)
            score /= sum;
        return largest + Math.Log(sum);
    }

    private static void AddRow(double factor, float[] row, bool hasIntercept, Span<double> gradient)
    {
        for (var k = 0; k < row.Length; k++)
            gradient[k] += factor * row[k];
        if (hasIntercept)
            gradient[row.Length] += factor;
    }
}
