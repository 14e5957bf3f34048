using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>Corrupted and attacked images.</summary>
public sealed class RobustnessTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly Model<ImagePixels> _model;
    private readonly List<Example<ImagePixels>> _rows = ToyImages.Rows(60, seed: 2);

    public RobustnessTests() => _model = new ImageClassifierTrainer(
        ToyImages.Config(epochs: 12), ToyImages.Input, ToyImages.Classes, _engine).Train(ToyImages.Rows(150, seed: 1));

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void GradientsByPixelsAreThoseOfTheLoss()
    {
        var images = _rows.Take(3).Select(row => Values(row.Input)).ToArray();
        int[] classes = [.. _rows.Take(3).Select(row => (int)row.Target)];
        // all experts: where a choice changes, a loss has no slope
        var model = _model.WithRouting(Router.TokenChoice(3));
        var before = _model.Parameters.All.Select(p => Gradient(p.Parameter)).ToArray();
        var gradients = new float[3 * images[0].Length];
        new PixelGradients(model).Of(images, classes, gradients);

        Assert.Equal(before, _model.Parameters.All.Select(p => Gradient(p.Parameter)));
        var largest = gradients.Max(Math.Abs);
        Assert.True(largest > 1e-4, $"{largest}");
        for (var i = 0; i < gradients.Length; i += 5)
        {
            var (image, place) = Math.DivRem(i, images[0].Length);
            var slope = (Loss(image, place, 1e-2f) - Loss(image, place, -1e-2f)) / 2e-2;
            Assert.Equal(slope, gradients[i], 0.03 * largest);
        }

        double Loss(int image, int place, float by)
        {
            var changed = (float[])images[image].Clone();
            changed[place] += by;
            var outputs = new float[model.Outputs];
            model.Score([new ImagePixels(changed)], outputs);
            return -Math.Log(outputs[classes[image]]);
        }

        static float[] Gradient(Parameter parameter)
        {
            var values = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(values);
            return values;
        }
    }

    [Theory]
    [InlineData(AttackNorm.LInfinity, 1)]
    [InlineData(AttackNorm.LInfinity, 5)]
    [InlineData(AttackNorm.L2, 5)]
    public void AttacksStayInTheirBallAndMakeTheModelWrong(AttackNorm norm, int steps)
    {
        var epsilon = norm == AttackNorm.L2 ? 1.0 : 0.15;
        var attack = AdversarialAttack.ProjectedGradient(epsilon, norm, steps) with { Restarts = 2, Seed = 4 };
        var images = _rows.Select(row => Values(row.Input)).ToArray();
        int[] classes = [.. _rows.Select(row => (int)row.Target)];
        var (least, most) = (0f, 3f);

        var (isRight, changed) = new AttackRun(_model, attack, least, most).Attack(images, classes, 0);
        var (again, changedAgain) = new AttackRun(_model, attack, least, most).Attack(images, classes, 0);

        Assert.Equal(isRight, again);
        Assert.Equal(changed, changedAgain);
        foreach (var (image, other) in images.Zip(changed))
        {
            var by = image.Zip(other, (a, b) => (double)b - a).ToArray();
            var size = norm == AttackNorm.L2 ? Math.Sqrt(by.Sum(x => x * x)) : by.Max(Math.Abs);
            Assert.InRange(size, 0, epsilon * (most - least) * (1 + 1e-4));
            Assert.All(other, value => Assert.InRange(value, least, most));
        }

        var clean = RobustRows.Tell(_model, images).Zip(classes).Count(pair => pair.First == pair.Second);
        Assert.True(isRight.Count(r => r) < clean - 5, $"{isRight.Count(r => r)} of {clean}");
    }

    [Fact]
    public void AMeasurementHoldsEveryCorruptionAndAttack()
    {
        var done = new List<(int, int)>();
        var options = new RobustnessOptions
        {
            Corruptions = [ImageCorruptionKind.ImpulseNoise, ImageCorruptionKind.Contrast],
            Severities = [1, 5],
            Attacks = [AdversarialAttack.FastGradientSign(0), AdversarialAttack.FastGradientSign(0.2)],
            Completed = (count, of) => done.Add((count, of)),
        };

        var metrics = Robustness.Measure(_model, _rows, options, CancellationToken.None);

        Assert.Equal(60, metrics.Rows);
        Assert.True(metrics.Accuracy > 0.6, $"{metrics.Accuracy}");
        Assert.Equal(
            [(ImageCorruptionKind.ImpulseNoise, 1), (ImageCorruptionKind.ImpulseNoise, 5), (ImageCorruptionKind.Contrast, 1), (ImageCorruptionKind.Contrast, 5)],
            metrics.Corruptions.Select(c => (c.Kind, c.Severity)));
        Assert.Equal(metrics.Corruptions.Average(c => c.Error), metrics.MeanCorruptionError);
        // no room to change anything in
        Assert.Equal(metrics.Accuracy, metrics.Attacks[0].Accuracy);
        Assert.True(metrics.Attacks[1].Accuracy < metrics.Accuracy);
        Assert.Equal(Enumerable.Range(1, 7).Select(i => (i, 7)), done);
        Assert.Equal(metrics.ToString(), Robustness.Measure(_model, _rows, options, CancellationToken.None).ToString());
        Assert.Throws<OperationCanceledException>(() => Robustness.Measure(_model, _rows, options, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void TheErrorBesideAnotherModelsIsOfSumsOverSeverities()
    {
        // (0.1 + 0.3)/(0.2 + 0.6) and 0.6/0.3
        var own = Of((ImageCorruptionKind.Fog, 1, 0.1), (ImageCorruptionKind.Fog, 2, 0.3), (ImageCorruptionKind.Snow, 1, 0.6));
        var other = Of((ImageCorruptionKind.Fog, 1, 0.2), (ImageCorruptionKind.Fog, 2, 0.6), (ImageCorruptionKind.Snow, 1, 0.3));
        Assert.Equal((0.5 + 2) / 2, own.MeanCorruptionErrorRelativeTo(other), 1e-12);
        Assert.Throws<ArgumentException>(() => own.MeanCorruptionErrorRelativeTo(Of((ImageCorruptionKind.Fog, 1, 0.1))));
        Assert.Throws<ArgumentException>(() => Of((ImageCorruptionKind.Fog, 1, 0.1)).MeanCorruptionErrorRelativeTo(Of((ImageCorruptionKind.Fog, 1, 0))));

        static RobustnessMetrics Of(params (ImageCorruptionKind Kind, int Severity, double Error)[] errors) =>
            new(10, 1, [.. errors.Select(e => new CorruptionError(e.Kind, e.Severity, e.Error))], []);
    }

    private static float[] Values(ImagePixels image)
    {
        var values = new float[image.Length];
        image.CopyTo(values);
        return values;
    }
}
