using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Fits a <see cref="Probe"/>. With many classes by AdamW, whose early end and smoothed targets keep it from being sure too soon; with few by
/// logistic regression of standardised features with an L2 penalty, to the end.
/// </summary>
/// <param name="engine">Where to compute.</param>
/// <param name="classes">Number of classes, C.</param>
/// <param name="seed">Seeds the order of rows.</param>
internal sealed class ProbeFit(Engine engine, int classes, int seed)
{
    /// <summary>Most classes that are fitted by regression.</summary>
    private const int MostClassesOfRegression = 20;

    /// <summary>Most numbers of all rows that are fitted by regression: it holds them twice.</summary>
    private const long MostValuesOfRegression = 1L << 27;

    /// <summary>What emphasised numbers are multiplied by, once they are standardised: they are held back less.</summary>
    private const float Emphasis = 10f;

    private const double Tolerance = 1e-3;
    private const float Smoothing = 0.1f;
    private const float Decay = 1e-4f;

    /// <summary>Strengths of the regression, see <see cref="LinearFit"/>, that are worth trying; one that is not used with many classes.</summary>
    /// <param name="rows">The rows.</param>
    public ReadOnlySpan<float> Strengths(ProbeExamples rows) => !Regresses(rows) ? [1f] : rows.Emphasised > 0 ? [1e-4f, 1e-3f] : [0.01f];

    /// <summary>Fits a probe.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="descent">How many classes are learned, where there are many.</param>
    /// <param name="strength">One of <see cref="Strengths"/>.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public Probe Fit(ProbeExamples rows, ProbeDescent descent, float strength, CancellationToken stop = default) =>
        Regresses(rows) ? Regress(rows, strength, stop) : Descend(rows, descent, stop);

    private bool Regresses(ProbeExamples rows) =>
        rows.Emphasised > 0 || (classes <= MostClassesOfRegression && (long)rows.Count * rows.Width <= MostValuesOfRegression);

    private Probe Descend(ProbeExamples rows, ProbeDescent descent, CancellationToken stop)
    {
        var f = rows.Width;
        var weights = engine.CreateParameter("probe.weight", [f, classes], new float[f * classes]);
        var bias = engine.CreateParameter("probe.bias", [classes], new float[classes]);
        using var optimizer = engine.CreateAdamW(
        [
            new ParameterGroup([weights], descent.LearningRate, Decay),
            new ParameterGroup([bias], descent.LearningRate),
        ]);
        int[] counting = [.. Enumerable.Range(0, rows.Count).Where(row => rows.Weights[row] > 0)];
        var batchRows = Math.Min(descent.BatchSize, counting.Length);
        var steps = descent.Epochs * ((counting.Length + batchRows - 1) / batchRows);
        var (x, labels, ofRows) = (new float[batchRows * f], new int[batchRows], new float[batchRows]);
        var random = new Random(seed);
        for (int epoch = 0, step = 0; epoch < descent.Epochs; epoch++)
        {
            random.Shuffle(counting);
            for (var start = 0; start < counting.Length; start += batchRows, step++)
            {
                stop.ThrowIfCancellationRequested();
                var count = Math.Min(batchRows, counting.Length - start);
                for (var i = 0; i < count; i++)
                {
                    var row = counting[start + i];
                    rows.FeaturesOf(row).CopyTo(x.AsSpan(i * f));
                    (labels[i], ofRows[i]) = (rows.Labels[row], rows.Weights[row]);
                }

                using var tape = engine.LeaseTape(training: true);
                var scores = tape.Linear(tape.Constant(x.AsSpan(0, count * f), count, f), weights, bias);
                tape.Backward(tape.CrossEntropy(scores, labels.AsSpan(0, count), ofRows.AsSpan(0, count), Smoothing));
                optimizer.Step(1f - (float)step / steps);
            }
        }

        return new Probe(f, weights.Value.ToArray(), bias.Value.ToArray());
    }

    private Probe Regress(ProbeExamples rows, float strength, CancellationToken stop)
    {
        var f = rows.Width;
        var (means, scales) = Moments(rows);
        var standardised = new float[rows.Count * (f + 1)];
        for (var row = 0; row < rows.Count; row++)
        {
            var from = rows.FeaturesOf(row);
            var to = standardised.AsSpan(row * (f + 1), f + 1);
            for (var i = 0; i < f; i++)
                to[i] = (from[i] - means[i]) * scales[i];
            to[f] = 1f;
        }

        var penalties = new float[f + 1];
        penalties.AsSpan(0, f).Fill((float)(1 / (strength * rows.Weights.Sum(w => (double)w))));
        penalties[f] = penalties[0] * LinearFit.PenaltyOfConstant;
        var objective = new SoftmaxRegression(
            SparseRows.Dense(f + 1, standardised), rows.Labels, rows.Weights, classes, penalties, engine.HostThreads);
        var w = new float[objective.Length];
        new NewtonMethod(objective).Descend(w, Tolerance, stop: stop);
        return OfStandardised(w, means, scales);
    }

    /// <summary>Mean of each feature, and the inverse of its standard deviation; 0 where it does not vary.</summary>
    private static (float[] Means, float[] Scales) Moments(ProbeExamples rows)
    {
        var f = rows.Width;
        var (sums, squares) = (new double[f], new double[f]);
        for (var row = 0; row < rows.Count; row++)
        {
            var x = rows.FeaturesOf(row);
            for (var i = 0; i < f; i++)
                sums[i] += x[i];
        }

        for (var row = 0; row < rows.Count; row++)
        {
            var x = rows.FeaturesOf(row);
            for (var i = 0; i < f; i++)
            {
                var difference = x[i] - sums[i] / rows.Count;
                squares[i] += difference * difference;
            }
        }

        var scales = new float[f];
        for (var i = 0; i < f; i++)
        {
            var deviation = Math.Sqrt(squares[i] / rows.Count);
            var worth = i >= f - rows.Emphasised ? Emphasis : 1f;
            scales[i] = deviation > 1e-6 ? (float)(worth / deviation) : 0f;
        }

        return ([.. sums.Select(sum => (float)(sum / rows.Count))], scales);
    }

    /// <summary>The probe of features as they are.</summary>
    private Probe OfStandardised(float[] w, float[] means, float[] scales)
    {
        var (f, stride) = (means.Length, Gather.Stride(classes));
        var (weights, bias) = (new float[f * classes], w.AsSpan(f * stride, classes).ToArray());
        for (var i = 0; i < f; i++)
            for (var c = 0; c < classes; c++)
            {
                var weight = w[i * stride + c] * scales[i];
                weights[i * classes + c] = weight;
                bias[c] -= weight * means[i];
            }

        return new Probe(f, weights, bias);
    }
}

/// <summary>How a probe of many classes is descended to.</summary>
/// <param name="LearningRate">Peak learning rate; falls to 0 in a straight line.</param>
/// <param name="Epochs">Passes over the rows.</param>
/// <param name="BatchSize">Rows of a step.</param>
internal readonly record struct ProbeDescent(float LearningRate, int Epochs, int BatchSize)
{
    /// <summary>Rows of a class below which there are few.</summary>
    private const int ManyRowsOfClass = 20;

    /// <summary>For what a frozen encoder makes of rows.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">Number of classes.</param>
    public static ProbeDescent OfFrozen(int rows, int classes) =>
        rows < ManyRowsOfClass * classes ? new(0.001f, 40, 64) : new(0.01f, 20, 256);

    /// <summary>For what an encoder makes of rows that it was fine-tuned on.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">Number of classes.</param>
    public static ProbeDescent OfTuned(int rows, int classes) =>
        rows < ManyRowsOfClass * classes ? new(0.003f, 40, 64) : new(0.005f, 20, 256);
}
