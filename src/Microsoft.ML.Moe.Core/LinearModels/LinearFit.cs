namespace Microsoft.ML.Moe.LinearModels;

/// <summary>Fits linear models.</summary>
/// <param name="classes">Number of classes, C.</param>
/// <param name="threads">Threads at most.</param>
internal sealed class LinearFit(int classes, int threads)
{
    /// <summary>Strengths that the choice by held-out rows tries: what the loss of a row counts against half the sum of squared weights.</summary>
    public static readonly float[] Strengths = [0.3f, 1f, 3f, 10f, 30f];

    /// <summary>Norm of the gradient, as a share of that at zero weights, at which a final fit ends.</summary>
    public const double Tolerance = 1e-3;

    /// <summary>How little the weights of what is always 1 are held back, as a share of the others.</summary>
    private const float PenaltyOfConstant = 0.01f;
    public static (int, int) Last;

    /// <summary>How little the weights of the counts of a pair are held back, as a share of the others.</summary>
    public static float PenaltyOfCounts = 0.1f;

    /// <summary>Fits a model.</summary>
    /// <param name="features">Its features.</param>
    /// <param name="x">Rows as the features transform them.</param>
    /// <param name="labels">Class of each.</param>
    /// <param name="weights">Weight of each.</param>
    /// <param name="strength">C: the larger, the closer it fits.</param>
    /// <param name="tolerance">See <see cref="Tolerance"/>.</param>
    /// <param name="start">A model with the same features to start from; null for zeros.</param>
    /// <param name="stepTaken">Is told the objective after each step.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public LinearModel Fit(
        LinearFeatures features,
        SparseRows x,
        ReadOnlySpan<int> labels,
        ReadOnlySpan<float> weights,
        float strength,
        double tolerance = Tolerance,
        LinearModel? start = null,
        Action<double>? stepTaken = null,
        CancellationToken stop = default)
    {
        var sum = 0.0;
        foreach (var weight in weights)
            sum += weight;
        var penalties = new float[x.Columns];
        var penalty = (float)(1 / (strength * sum));
        penalties.AsSpan().Fill(penalty);
        penalties.AsSpan(features.Index.Count, features.CountMeans.Length).Fill(penalty * PenaltyOfCounts);
        penalties[^1] = penalty * PenaltyOfConstant;
        var objective = new SoftmaxRegression(x, labels, weights, classes, penalties, threads);
        var w = new float[objective.Length];
        start?.Weights.CopyTo(w);
        var method = new NewtonMethod(objective); method.Descend(w, tolerance, stepTaken, stop); Last = (method.Steps, method.Products);
        return new LinearModel(features, classes, w);
    }
}
