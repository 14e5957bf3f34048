using System.Globalization;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>What the branches of a classifier say of rows that they have not learned from.</summary>
/// <param name="Encoder">Log probabilities of the layer over the encoder, rows × classes.</param>
/// <param name="Linear">Log probabilities of the linear model; null without one.</param>
/// <param name="Labels">Class of each row.</param>
/// <param name="Weights">Weight of each row.</param>
internal sealed record HeldOutScores(float[] Encoder, float[]? Linear, int[] Labels, float[] Weights)
{
    /// <summary>What is assumed of a published encoder and of a linear branch, in this order: about what tables of several kinds gave.</summary>
    private static readonly IReadOnlyList<double> Assumed = [1.0, 0.4];

    /// <summary>Weights of encoder and linear model where there are no rows to find them by.</summary>
    public static (float Encoder, float Linear) AssumedWeights => ((float)Assumed[0], (float)Assumed[1]);

    private double[]? _fitted;

    /// <summary>The weights of encoder and linear model with the lowest log-loss.</summary>
    public (float Encoder, float Linear) FitWeights() => ((float)Fitted[0], Linear is null ? 0f : (float)Fitted[1]);

    /// <summary>The mean log-loss with these weights.</summary>
    public double Loss => BranchWeights.LossWith(Branches, Labels, Weights, Fitted);

    /// <summary>Share of rows whose class both together tell right.</summary>
    public double Accuracy
    {
        get
        {
            var classes = Encoder.Length / Math.Max(1, Labels.Length);
            var (a, b) = FitWeights();
            var scores = BranchWeights.Combine(Branches, Linear is null ? [a] : [a, b], classes);
            var (right, weight) = (0.0, 0.0);
            for (var row = 0; row < Labels.Length; row++)
            {
                weight += Weights[row];
                right += Measurement.IndexOfMaximum(scores.AsSpan(row * classes, classes)) == Labels[row] ? Weights[row] : 0f;
            }

            return weight > 0 ? right / weight : 0;
        }
    }

    /// <summary>Some of the rows, with other scores of the encoder where given.</summary>
    /// <param name="rows">Numbers of the rows.</param>
    /// <param name="encoder">Its scores of these rows; null for the same.</param>
    public HeldOutScores Select(IReadOnlyList<int> rows, float[]? encoder = null) => new(
        encoder ?? Select(Encoder, rows),
        Linear is null ? null : Select(Linear, rows),
        [.. rows.Select(row => Labels[row])],
        [.. rows.Select(row => Weights[row])]);

    private IReadOnlyList<float[]> Branches => Linear is null ? [Encoder] : [Encoder, Linear];

    private double[] Fitted => _fitted ??= BranchWeights.Fit(Branches, Labels, Weights, AssumedOf);

    private IReadOnlyList<double> AssumedOf => Linear is null ? [Assumed[0]] : Assumed;

    private float[] Select(float[] scores, IReadOnlyList<int> rows)
    {
        var classes = scores.Length / Labels.Length;
        var selected = new float[rows.Count * classes];
        for (var i = 0; i < rows.Count; i++)
            scores.AsSpan(rows[i] * classes, classes).CopyTo(selected.AsSpan(i * classes));
        return selected;
    }
}

/// <summary>Rows as the branches of a classifier read them.</summary>
/// <param name="Encoder">For the layer over the encoder.</param>
/// <param name="Linear">For the linear model; null without one.</param>
internal sealed record BranchExamples(ProbeExamples Encoder, LinearExamples? Linear)
{
    /// <summary>Number of rows.</summary>
    public int Count => Encoder.Count;

    /// <summary>Some of the rows, in the order given.</summary>
    public BranchExamples Select(IReadOnlyList<int> rows) => new(Encoder.Select(rows), Linear?.Select(rows));
}

/// <summary>Fits the branches to a part of the rows and scores another part with them.</summary>
/// <param name="engine">Where to compute.</param>
/// <param name="probe">Fits the layer over the encoder.</param>
/// <param name="linear">Fits the linear model.</param>
/// <param name="classes">Number of classes, C.</param>
/// <param name="seed">Seeds the folds.</param>
internal sealed class HeldOutScoring(Engine engine, ProbeFit probe, LinearFit linear, int classes, int seed)
{
    private const int Folds = 3;
    private LinearModel? _last;

    /// <summary>The linear model's strength, chosen by the first rows that were held out; 0 before.</summary>
    public float Strength { get; private set; }

    /// <summary>The strength of the layer over the encoder, chosen in the same way.</summary>
    public float ProbeStrength { get; private set; }

    /// <summary>The last linear model that was fitted; the next one starts there.</summary>
    public LinearModel? Linear => _last;

    /// <summary>Scores each row by models of the folds that it is not in.</summary>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public HeldOutScores OutOfFold(BranchExamples rows, CancellationToken stop)
    {
        CheckRoom(rows.Count);
        var foldOf = StratifiedFolds.Of(rows.Encoder.Labels, Folds, new Random(seed));
        HeldOutScores? all = null;
        for (var fold = 0; fold < Folds; fold++)
        {
            int[] inside = [.. Enumerable.Range(0, rows.Count).Where(row => foldOf[row] == fold)];
            int[] outside = [.. Enumerable.Range(0, rows.Count).Where(row => foldOf[row] != fold)];
            if (inside.Length == 0 || outside.Length == 0)
                continue;
            var scores = On(rows.Select(outside), rows.Select(inside), stop);
            var classes = scores.Encoder.Length / inside.Length;
            all ??= new HeldOutScores(
                new float[rows.Count * classes],
                scores.Linear is null ? null : new float[rows.Count * classes],
                rows.Encoder.Labels,
                rows.Encoder.Weights);
            for (var i = 0; i < inside.Length; i++)
            {
                scores.Encoder.AsSpan(i * classes, classes).CopyTo(all.Encoder.AsSpan(inside[i] * classes));
                scores.Linear?.AsSpan(i * classes, classes).CopyTo(all.Linear.AsSpan(inside[i] * classes));
            }
        }

        return all ?? throw new InvalidOperationException("There are not enough rows to hold some out.");
    }

    /// <summary>Scores rows by models of others.</summary>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public HeldOutScores On(BranchExamples training, BranchExamples heldOut, CancellationToken stop)
    {
        CheckRoom(heldOut.Count);
        var ofEncoder = ScoreEncoder(training.Encoder, heldOut.Encoder, stop);
        float[]? ofLinear = null;
        if (training.Linear is not null && heldOut.Linear is not null)
        {
            if (Strength == 0f)
                (_last, Strength) = linear.Choose(training.Linear, heldOut.Linear, stop);
            else
                _last = linear.Fit(training.Linear, Strength, _last, stop: stop);
            ofLinear = new float[ofEncoder.Length];
            _last.ScoreLogarithms(heldOut.Linear.Rows, ofLinear);
        }

        TrainingLog.ReleaseMemory();
        return new HeldOutScores(ofEncoder, ofLinear, heldOut.Encoder.Labels, heldOut.Encoder.Weights);
    }

    /// <summary>Throws where scores of rows do not fit into an array.</summary>
    private void CheckRoom(int rows)
    {
        const double Gibibyte = 1L << 30;
        if ((long)rows * classes > Array.MaxLength)
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"{rows:N0} rows of {classes:N0} classes ask for {(double)rows * classes * sizeof(float) / Gibibyte:N0} GiB to choose between models by: "
                + $"give a ValidationSet of fewer rows, or a label of fewer classes."));
    }

    private float[] ScoreEncoder(ProbeExamples training, ProbeExamples heldOut, CancellationToken stop)
    {
        var descent = ProbeDescent.OfFrozen(training.Count, classes);
        if (ProbeStrength > 0f)
            return probe.Fit(training, descent, ProbeStrength, stop).ScoreLogarithms(engine, heldOut);
        float[]? best = null;
        var lowest = double.PositiveInfinity;
        foreach (var strength in probe.Strengths(training))
        {
            var scores = probe.Fit(training, descent, strength, stop).ScoreLogarithms(engine, heldOut);
            var loss = BranchWeights.LossOf([scores], heldOut.Labels, heldOut.Weights, [1.0]);
            if (best is null || loss < lowest)
                (best, ProbeStrength, lowest) = (scores, strength, loss);
        }

        return best!;
    }
}
