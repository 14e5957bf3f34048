using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableTheory]
    [InlineData(0, 3, 4)]
    [InlineData(1, 1, 1)]
    [InlineData(5, 7, 3)]
    [InlineData(12, 16, 32)]
    [InlineData(13, 33, 34)]
    [InlineData(25, 300, 65)]
    [InlineData(131, 520, 17)]
    public void LinearEqualsDoubleLoop(int rows, int inputs, int outputs)
    {
        using var engine = CreateEngine();
        var x = TestNumbers.Normal(1, rows * inputs);
        var w = TestNumbers.Normal(2, inputs * outputs, 1f / MathF.Sqrt(inputs));
        var b = TestNumbers.Normal(3, outputs);
        foreach (var activation in Enum.GetValues<Activation>())
        {
            var y = Forward(
                engine,
                (tape, p) => tape.Linear(p[0], p[1], p[2], activation),
                new Input([rows, inputs], x),
                new Input([inputs, outputs], w),
                new Input([outputs], b));
            TestNumbers.AssertClose(Reference.Linear(x, w, b, rows, inputs, outputs, activation), y);
        }
    }

    [SkippableFact]
    public void LinearTakesAnyRank()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var w = tape.Constant(TestNumbers.Normal(1, 6), 3, 2);
        Assert.Equal([2], tape.Linear(tape.Constant([1, 2, 3], 3), w).Shape.ToArray());
        Assert.Equal([1, 2, 2], tape.Linear(tape.Constant([1, 2, 3, 4, 5, 6], 1, 2, 3), w).Shape.ToArray());
    }

    [SkippableTheory]
    [InlineData(Activation.None)]
    [InlineData(Activation.GeluTanh)]
    [InlineData(Activation.ClampedSwish)]
    [InlineData(Activation.GeluErf)]
    [InlineData(Activation.Sigmoid)]
    [InlineData(Activation.Silu)]
    [InlineData(Activation.Tanh)]
    public void LinearGradients(Activation activation)
    {
        using var engine = CreateEngine();
        foreach (var (rows, inputs, outputs) in new[] { (0, 2, 3), (1, 3, 1), (5, 7, 3), (3, 2, 35), (14, 3, 2) })
        {
            GradientCheck.Run(
                engine,
                (tape, p) => tape.Linear(p[0], p[1], p[2], activation),
                [Input.Random(1, rows, inputs), Input.Random(2, inputs, outputs), Input.Random(3, outputs)]);
        }
    }

    [SkippableFact]
    public void ActivationsThatAreClampedAreFlatBeyond()
    {
        // One input and weights of size 1: the sums are x ± 0.5 and stay away from the bounds at ±7.
        using var engine = CreateEngine();
        Input[] inputs = [new Input([4, 1], [8f, -8f, 6f, -6f]), new Input([1, 2], [1f, -1f]), new Input([2], [0.25f, -0.25f])];
        foreach (var activation in new[] { Activation.ClampedSwish, Activation.ClampedIncrement })
        {
            GradientCheck.Run(engine, (tape, p) => tape.Scale(tape.Linear(p[0], p[1], p[2], activation), 0.1f), inputs);
            TestNumbers.AssertClose(
                Reference.Linear(inputs[0].Values, inputs[1].Values, inputs[2].Values, 4, 1, 2, activation),
                Forward(engine, (tape, p) => tape.Linear(p[0], p[1], p[2], activation), inputs));
        }
    }

    [SkippableFact]
    public void LinearReluGradients()
    {
        // One input and weights of size 1: the sums are x ± 0.5 and stay away from the kink at 0.
        using var engine = CreateEngine();
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Linear(p[0], p[1], p[2], Activation.Relu),
            [new Input([4, 1], [1f, -1f, 2f, -2f]), new Input([1, 2], [1f, -1f]), new Input([2], [0.5f, -0.5f])]);
    }

    [SkippableFact]
    public void LinearWithoutBiasOnConstantInput()
    {
        using var engine = CreateEngine();
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Linear(tape.Constant(TestNumbers.Normal(4, 10), 5, 2), p[0]),
            [Input.Random(2, 2, 3)]);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Linear(p[0], tape.Constant(TestNumbers.Normal(4, 6), 2, 3)),
            [Input.Random(2, 5, 2)]);
    }

    [SkippableFact]
    public void TensorUsedTwiceCollectsBothGradients()
    {
        using var engine = CreateEngine();
        GradientCheck.Run(
            engine,
            (tape, p) =>
            {
                var y = tape.Linear(p[0], p[1]);
                return tape.Add(tape.Linear(y, p[1]), tape.Add(y, p[0]));
            },
            [Input.Random(1, 4, 3), Input.Random(2, 3, 3)]);
    }

    [SkippableFact]
    public void LinearRejectsShapesThatDoNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[6], 2, 3);
        var error = Assert.Throws<ArgumentException>(() => tape.Linear(x, tape.Constant(new float[8], 4, 2)));
        Assert.Contains("[2, 3]", error.Message, StringComparison.Ordinal);
        Assert.Contains("[4, 2]", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => tape.Linear(x, tape.Constant(new float[3], 3)));
        Assert.Throws<ArgumentException>(() => tape.Linear(x, tape.Constant(new float[6], 3, 2), tape.Constant(new float[3], 3)));
    }

    [SkippableTheory]
    [InlineData(0, 3, 4)]
    [InlineData(1, 1, 1)]
    [InlineData(13, 33, 6)]
    public void RouterLogitsAreTokensTimesRouter(int tokens, int width, int experts)
    {
        using var engine = CreateEngine();
        var (x, router) = (TestNumbers.Normal(1, tokens * width), TestNumbers.Normal(2, width * experts));
        var logits = Forward(
            engine,
            (tape, p) => tape.RouterLogits(p[0], p[1]),
            new Input([tokens, width], x),
            new Input([width, experts], router));
        TestNumbers.AssertClose(Reference.Linear(x, router, [], tokens, width, experts), logits);
    }

    [SkippableFact]
    public void RouterLogitsGradients()
    {
        using var engine = CreateEngine();
        GradientCheck.Run(engine, (tape, p) => tape.RouterLogits(p[0], p[1]), [Input.Random(1, 5, 3), Input.Random(2, 3, 4)]);
    }

    [SkippableFact]
    public void RouterLogitsRejectShapesThatDoNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var router = tape.Constant(new float[6], 3, 2);
        Assert.Throws<ArgumentException>(() => tape.RouterLogits(tape.Constant(new float[8], 2, 4), router));
        Assert.Throws<ArgumentException>(() => tape.RouterLogits(tape.Constant(new float[3], 3), router));
        Assert.Throws<ArgumentException>(() => tape.RouterLogits(tape.Constant(new float[6], 2, 3), tape.Constant(new float[3], 3)));
    }

    [SkippableFact]
    public void NonFiniteValuesPassThrough()
    {
        using var engine = CreateEngine();
        foreach (var activation in Enum.GetValues<Activation>())
        {
            var y = Forward(
                engine,
                (tape, p) => tape.Linear(p[0], p[1], null, activation),
                new Input([3, 1], [float.NaN, float.PositiveInfinity, float.NegativeInfinity]),
                new Input([1, 2], [1f, 2f]));
            Assert.True(float.IsNaN(y[0]));
        }
    }
}
