using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableTheory]
    [InlineData(1, false)]
    [InlineData(3, true)]
    public void ErrorsOfNumbers(int columns, bool weighted)
    {
        using var engine = CreateEngine();
        const double Delta = 0.8;
        // Distances are spaced, so that no difference crosses a kink at 0 or δ.
        var values = new Input([4, columns], TestNumbers.Spaced(1, 4 * columns, 0.3f));
        var targets = new float[4 * columns];
        float[] quantiles = [.. Enumerable.Range(0, columns).Select(column => 0.2f + 0.3f * column)];
        float[] weights = weighted ? [2f, 0f, 0.5f, 1f] : [];
        var (huber, quantile) = (0.0, 0.0);
        for (var i = 0; i < 4 * columns; i++)
        {
            var weight = (weighted ? weights[i / columns] / 3.5 : 0.25) / columns;
            double d = values.Values[i];
            huber += weight * (Math.Abs(d) <= Delta ? d * d / 2 : Delta * (Math.Abs(d) - Delta / 2));
            quantile += weight * Math.Max(-quantiles[i % columns] * d, (1 - quantiles[i % columns]) * d);
        }

        Tensor Huber(Tape tape, Tensor[] p) => tape.HuberError(p[0], targets, weights, (float)Delta);
        Tensor Quantile(Tape tape, Tensor[] p) => tape.QuantileError(p[0], targets, weights, quantiles);
        TestNumbers.AssertClose([huber], Forward(engine, Huber, values));
        TestNumbers.AssertClose([quantile], Forward(engine, Quantile, values));
        GradientCheck.Run(engine, Huber, [values], tolerance: 1e-3);
        GradientCheck.Run(engine, Quantile, [values], tolerance: 1e-3);
    }

    [SkippableTheory]
    [InlineData(0f, false)]
    [InlineData(0.5f, false)]
    [InlineData(2f, true)]
    public void FocalLosses(float gamma, bool weighted)
    {
        using var engine = CreateEngine();
        const int Classes = 5;
        var logits = new Input([4, Classes], TestNumbers.Normal(1, 4 * Classes, 1.5f));
        int[] classes = [3, 0, 4, 1];
        var targets = TestNumbers.Normal(2, 4 * Classes).Select(x => x > 0 ? 1f : 0f).ToArray();
        targets[0] = 0.3f;
        float[] weights = weighted ? [2f, 0f, 0.5f, 1f] : [];
        float? alpha = weighted ? 0.25f : null;
        var (focal, binary) = (0.0, 0.0);
        for (var row = 0; row < 4; row++)
        {
            var l = logits.Values.AsSpan(row * Classes, Classes);
            var weight = weighted ? weights[row] / 3.5 : 0.25;
            var p = Reference.Softmax(l)[classes[row]];
            focal -= weight * Math.Pow(1 - p, gamma) * Math.Log(p);
            for (var c = 0; c < Classes; c++)
            {
                double t = targets[row * Classes + c];
                var yes = 1 / (1 + Math.Exp(-l[c]));
                var factor = alpha is { } a ? a * t + (1 - a) * (1 - t) : 1;
                var entropy = -t * Math.Log(yes) - (1 - t) * Math.Log(1 - yes);
                binary += weight / Classes * factor * Math.Pow(t * (1 - yes) + (1 - t) * yes, gamma) * entropy;
            }
        }

        Tensor Focal(Tape tape, Tensor[] p) => tape.FocalLoss(p[0], classes, weights, gamma);
        Tensor Binary(Tape tape, Tensor[] p) => tape.BinaryFocalLoss(p[0], targets, weights, gamma, alpha);
        TestNumbers.AssertClose([focal], Forward(engine, Focal, logits));
        TestNumbers.AssertClose([binary], Forward(engine, Binary, logits));
        GradientCheck.Run(engine, Focal, [logits], tolerance: 1e-3);
        GradientCheck.Run(engine, Binary, [logits], tolerance: 1e-3);
    }

    [SkippableTheory]
    [InlineData(0f)]
    [InlineData(0.5f)]
    [InlineData(2f)]
    public void FocalLossesOfCertainAnswersAreZeroAndFinite(float gamma)
    {
        using var engine = CreateEngine();
        var logits = engine.CreateParameter("logits", [1, 2], [200f, -200f]).Value;
        using var tape = engine.BeginTape(training: true);
        var loss = tape.Add(tape.FocalLoss(logits, [0], [], gamma), tape.BinaryFocalLoss(logits, [1f, 0f], [], gamma));
        Assert.Equal(0f, loss.ToArray()[0], 1e-6);
        tape.Backward(loss);
        var gradient = new float[2];
        logits.CopyGradientTo(gradient);
        Assert.All(gradient, value => Assert.Equal(0f, value, 1e-6));
    }

    [SkippableFact]
    public void LossesForFineTuningRejectWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[2], 1, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.HuberError(x, [0f, 0f], [], 0f));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.HuberError(x, [0f, float.PositiveInfinity], []));
        Assert.Throws<ArgumentException>(() => tape.QuantileError(x, [0f, 0f], [], [0.5f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.QuantileError(x, [0f, 0f], [], [0.5f, 1.5f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.FocalLoss(x, [2], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.FocalLoss(x, [1], [], -1f));
        Assert.Throws<ArgumentException>(() => tape.FocalLoss(x, [1, 1], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.BinaryFocalLoss(x, [0f, 2f], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.BinaryFocalLoss(x, [0f, 1f], [], 2f, 1.5f));
        Assert.Throws<ArgumentException>(() => ClassWeightedCrossEntropy.Loss(tape, x, [-1], [], 0f));
        Assert.Throws<ArgumentException>(() => ClassWeightedCrossEntropy.Loss(tape, x, [0], [1f], 0f));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClassWeightedCrossEntropy.Loss(tape, x, [2], [], 0f));
        Assert.Throws<ArgumentException>(() => Divergence.FromTeacher(tape, x, [0f], 1f));
        Assert.Throws<ArgumentOutOfRangeException>(() => Divergence.FromTeacher(tape, x, [0f, 1f], 0f));
        Assert.Throws<ArgumentException>(() => InBatchNegatives.Loss(tape, x, tape.Constant(new float[3], 1, 3)));
    }

    [SkippableFact]
    public void MeanOfAllElements()
    {
        using var engine = CreateEngine();
        var x = Input.Random(1, 3, 5);
        TestNumbers.AssertClose([x.Values.Average(value => (double)value)], Forward(engine, (tape, p) => tape.Mean(p[0]), x));
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.Mean(p[0]), new Input([0, 3], [])));
        GradientCheck.Run(engine, (tape, p) => tape.Mean(tape.Multiply(p[0], p[0])), [x]);
        GradientCheck.Run(engine, (tape, p) => tape.Mean(p[0]), [x]);
    }

    [SkippableFact]
    public void GradientsOfLossesThatCompareRows()
    {
        using var engine = CreateEngine();
        Input[] inputs = [Input.Random(1, 3, 4), Input.Random(2, 3, 4), Input.Random(3, 2, 4)];
        float[] weights = [1f, 0.5f, 2f];
        GradientCheck.Run(
            engine,
            (tape, p) => InBatchNegatives.Loss(tape, p[0], p[1], p[2], 5f, isSymmetric: true, weights),
            inputs,
            step: 0.01f,
            tolerance: 2e-3);
        GradientCheck.Run(engine, (tape, p) => CosineError.Loss(tape, p[0], p[1], [0.1f, 1f, -0.5f], weights), inputs[..2], tolerance: 1e-3);
        GradientCheck.Run(engine, (tape, p) => Divergence.Symmetric(tape, p[0], p[1]), inputs[..2], tolerance: 1e-3);
        GradientCheck.Run(engine, (tape, p) => Divergence.FromTeacher(tape, p[0], inputs[1].Values, 2f), inputs[..1], tolerance: 1e-3);
        GradientCheck.Run(
            engine,
            (tape, p) => ClassWeightedCrossEntropy.Loss(tape, p[0], [1, -1, 3], [1f, 2f, 0f, 0.5f], 0.1f),
            inputs[..1],
            tolerance: 1e-3);
    }
}
