namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Fits linear models: logistic regression with an L2 penalty. Its strength C says what the loss of a row counts against half the sum
/// of squared weights: the larger, the closer it fits. The same rows give the same model, whatever the number of threads.
/// </summary>
/// <param name="classes">Number of classes, C.</param>
/// <param name="threads">Threads at most.</param>
internal sealed class LinearFit(int classes, int threads)
{
    /// <summary>Norm of the gradient, as a share of that at zero weights, at which a fit ends.</summary>
    public const double Tolerance = 1e-2;

    /// <summary>How little the weight of what is always 1 is held back, as a share of the others.</summary>
    public const float PenaltyOfConstant = 0.01f;

    /// <summary>How little the weights of a pair's counts are held back: there are few of them.</summary>
    private const float PenaltyOfCounts = 0.1f;

    /// <summary>How much lower the held-out loss of a stronger model has to be to be worth it.</summary>
    private const double WorthIt = 0.998;

    /// <summary>What the scores of a model are expected to be multiplied by: the penalty holds them too low.</summary>
    private const double AssumedScale = 1.5;

    /// <summary>The strength where there are no rows to choose by.</summary>
    public const float UsualStrength = 10f;

    /// <summary>Strengths that <see cref="Choose"/> tries for single texts.</summary>
    public static ReadOnlySpan<float> Strengths => [1f, 3f, 10f, 30f];

    /// <summary>Strengths that <see cref="Choose"/> tries for pairs, whose counts may be all that there is to learn.</summary>
    public static ReadOnlySpan<float> StrengthsOfPairs => [0.03f, 0.1f, 0.3f, 1f, 3f, 10f];

    /// <summary>
    /// Fits models of ever greater strength, until one has a higher log-loss on held-out rows than the best, once its scores are scaled as
    /// <see cref="BranchWeights"/> will scale them: those that are stronger still fit the noise, and take the longest. Without held-out rows it is
    /// one of strength <see cref="UsualStrength"/>.
    /// </summary>
    /// <param name="training">Rows to fit.</param>
    /// <param name="heldOut">Rows to choose by.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>The model, and its strength for a fit to all rows.</returns>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public (LinearModel Model, float Strength) Choose(
        LinearExamples training, LinearExamples heldOut, CancellationToken stop = default)
    {
        if (heldOut.Count == 0)
            return (Fit(training, UsualStrength, stop: stop), UsualStrength);
        var features = LinearFeatures.Of(training.Rows, classes);
        var descent = new Descent(features, features.Transform(training.Rows), training, classes, threads);
        var scored = descent.Joined(features.Transform(heldOut.Rows));
        var logarithms = new float[heldOut.Count * classes];
        var (last, best) = (descent.Zeros(), descent.Zeros());
        var (strength, lowest) = (0f, double.PositiveInfinity);
        foreach (var tried in features.CountMeans.IsEmpty ? Strengths : StrengthsOfPairs)
        {
            descent.Descend(last, tried, null, stop);
            descent.ScoreLogarithms(last, scored, logarithms);
            var loss = BranchWeights.LossOf([logarithms], heldOut.Labels, heldOut.Weights, [AssumedScale]);
            if (loss > lowest)
                break;
            if (strength == 0f || loss < lowest * WorthIt)
            {
                (strength, lowest) = (tried, loss);
                last.CopyTo(best, 0);
            }
        }

        return (descent.ModelOf(best), strength);
    }

    /// <summary>Fits a model.</summary>
    /// <param name="examples">Rows to fit.</param>
    /// <param name="strength">C, over 0.</param>
    /// <param name="start">A model to start from, fitted to some of the rows; null for zeros. It saves time.</param>
    /// <param name="stepTaken">Is told the objective after each step.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public LinearModel Fit(
        LinearExamples examples,
        float strength,
        LinearModel? start = null,
        Action<double>? stepTaken = null,
        CancellationToken stop = default)
    {
        var features = LinearFeatures.Of(examples.Rows, classes);
        var descent = new Descent(features, features.Transform(examples.Rows), examples, classes, threads);
        var w = start is null ? descent.Zeros() : descent.Joined(start);
        descent.Descend(w, strength, stepTaken, stop);
        return descent.ModelOf(w);
    }

    /// <summary>Fits models of several strengths to the same rows, in the same memory.</summary>
    private sealed class Descent
    {
        private readonly LinearFeatures _features;
        private readonly int _classes;
        private readonly double _weight;
        private readonly EqualColumns _columns;
        private readonly float[] _penalties;
        private readonly SoftmaxRegression _objective;
        private readonly NewtonMethod _method;

        public Descent(LinearFeatures features, SparseRows x, LinearExamples examples, int classes, int threads)
        {
            (_features, _classes) = (features, classes);
            _weight = examples.Weights.Sum(w => (double)w);
            _columns = new EqualColumns(x, features.Index.Count);
            _penalties = new float[_columns.Rows.Columns];
            _objective = new SoftmaxRegression(_columns.Rows, examples.Labels, examples.Weights, classes, _penalties, threads);
            _method = new NewtonMethod(_objective);
        }

        /// <summary>Weights to start from.</summary>
        public float[] Zeros() => new float[_objective.Length];

        /// <summary>Those of a model.</summary>
        public float[] Joined(LinearModel start) => _columns.Join(start, _features);

        /// <summary>Rows to score.</summary>
        public SparseRows Joined(SparseRows rows) => _columns.Join(rows);

        /// <summary>Fits weights.</summary>
        public void Descend(float[] w, float strength, Action<double>? stepTaken, CancellationToken stop)
        {
            var penalty = (float)(1 / (strength * _weight));
            var counts = _features.CountMeans.Length;
            _penalties.AsSpan().Fill(penalty);
            _penalties.AsSpan(_penalties.Length - 1 - counts, counts).Fill(penalty * PenaltyOfCounts);
            _penalties[^1] = penalty * PenaltyOfConstant;
            _method.Descend(w, Tolerance, stepTaken, stop);
        }

        /// <summary>Natural logarithms of the probabilities of rows, [rows, C].</summary>
        public void ScoreLogarithms(float[] w, SparseRows rows, Span<float> logarithms)
        {
            var scores = new float[Gather.Stride(_classes)];
            for (var row = 0; row < rows.Count; row++)
            {
                scores.AsSpan().Clear();
                Gather.Add(w, rows.IndicesOf(row), rows.ValuesOf(row), scores);
                var target = logarithms.Slice(row * _classes, _classes);
                scores.AsSpan(0, _classes).CopyTo(target);
                Softmax.Logarithms(target);
            }
        }

        /// <summary>The model of weights.</summary>
        public LinearModel ModelOf(float[] w) => new(_features, _classes, _columns.Split(w, Gather.Stride(_classes)), _columns.Places);
    }
}
