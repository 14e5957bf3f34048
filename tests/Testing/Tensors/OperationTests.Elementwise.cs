using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableFact]
    public void ConstantKeepsValuesAndShape()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: true);
        var x = tape.Constant([1, 2, 3, 4, 5, 6], 2, 3);
        Assert.Equal([2, 3], x.Shape.ToArray());
        Assert.Equal([1f, 2, 3, 4, 5, 6], x.ToArray());
        Assert.False(x.RequiresGradient);
        Assert.Throws<ArgumentException>(() => tape.Constant([1, 2, 3], 2, 2));
    }

    [SkippableFact]
    public void AddAndScale()
    {
        using var engine = CreateEngine();
        var x = Input.Random(1, 5, 7);
        var y = Input.Random(2, 5, 7);
        var sum = Forward(engine, (tape, p) => tape.Add(p[0], tape.Scale(p[1], -2f)), x, y);
        TestNumbers.AssertClose(x.Values.Zip(y.Values, (a, b) => a - 2.0 * b).ToArray(), sum);
        GradientCheck.Run(engine, (tape, p) => tape.Add(p[0], tape.Scale(p[1], -2f)), [Input.Random(1, 3, 5), Input.Random(2, 3, 5)]);
        GradientCheck.Run(engine, (tape, p) => tape.Add(p[0], p[0]), [Input.Random(1, 3, 5)]);
    }

    [SkippableFact]
    public void Clamp()
    {
        using var engine = CreateEngine();
        var x = Input.Random(1, 5, 7);
        var y = Forward(engine, (tape, p) => tape.Clamp(p[0], -0.5f, 0.75f), x);
        Assert.Equal(x.Values.Select(v => Math.Clamp(v, -0.5f, 0.75f)), y);
        GradientCheck.Run(engine, (tape, p) => tape.Clamp(p[0], -0.5f, 0.75f), [new Input([2, 3], [-2f, -0.3f, 0f, 0.4f, 0.9f, 3f])]);
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.Clamp(p[0], -1f, 1f), p[0]), [new Input([4], [-2f, -0.3f, 0.4f, 3f])]);
        Assert.Empty(Forward(engine, (tape, p) => tape.Clamp(p[0], 0f, 1f), new Input([0, 3], [])));
        using var tape = engine.BeginTape(training: false);
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Clamp(tape.Constant(new float[2], 2), 1f, -1f));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Clamp(tape.Constant(new float[2], 2), float.NaN, 1f));
    }

    [SkippableTheory]
    [InlineData(Activation.GeluTanh)]
    [InlineData(Activation.GeluErf)]
    [InlineData(Activation.Sigmoid)]
    [InlineData(Activation.Silu)]
    [InlineData(Activation.Tanh)]
    [InlineData(Activation.ClampedSwish)]
    public void Activate(Activation activation)
    {
        using var engine = CreateEngine();
        var x = Input.Random(1, 5, 37);
        float[] identity = [.. Enumerable.Range(0, 37 * 37).Select(i => i / 37 == i % 37 ? 1f : 0f)];
        var expected = Forward(engine, (tape, p) => tape.Linear(p[0], tape.Constant(identity, 37, 37), null, activation), x);
        TestNumbers.AssertClose(Array.ConvertAll(expected, v => (double)v), Forward(engine, (tape, p) => tape.Activate(p[0], activation), x));
        GradientCheck.Run(engine, (tape, p) => tape.Activate(p[0], activation), [Input.Random(2, 2, 3)]);
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.Activate(p[0], activation), p[0]), [Input.Random(3, 5)]);
        GradientCheck.Run(engine, (tape, p) => tape.Add(p[0], tape.Activate(p[0], activation)), [Input.Random(3, 5)]);
        Assert.Empty(Forward(engine, (tape, p) => tape.Activate(p[0], activation), new Input([0, 3], [])));
        using var tape = engine.BeginTape(training: false);
        var none = tape.Constant(new float[2], 2);
        Assert.Same(none, tape.Activate(none, Activation.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Activate(none, (Activation)99));
    }

    [SkippableFact]
    public void AddRejectsDifferentShapes()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        Assert.Throws<ArgumentException>(() => tape.Add(tape.Constant(new float[6], 2, 3), tape.Constant(new float[6], 3, 2)));
    }

    [SkippableFact]
    public void Concat()
    {
        using var engine = CreateEngine();
        var y = Forward(
            engine,
            (tape, p) => tape.Concat(p[0], p[1], p[0]),
            new Input([2, 1], [1, 2]),
            new Input([2, 2], [3, 4, 5, 6]));
        Assert.Equal([1f, 3, 4, 1, 2, 5, 6, 2], y);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Concat(p[0], p[1], tape.Constant(TestNumbers.Normal(3, 6), 3, 2), p[0]),
            [Input.Random(1, 3, 1), Input.Random(2, 3, 5)]);
        using var tape = engine.BeginTape(training: false);
        Assert.Throws<ArgumentException>(() => tape.Concat(tape.Constant(new float[2], 2, 1), tape.Constant(new float[3], 3, 1)));
        Assert.Throws<ArgumentException>(() => tape.Concat());
    }

    [SkippableFact]
    public void ReshapeKeepsElementsAndTheirGradients()
    {
        using var engine = CreateEngine();
        var x = Input.Random(1, 4, 6);
        Assert.Equal(x.Values, Forward(engine, (tape, p) => tape.Reshape(p[0], 8, 3), x));
        GradientCheck.Run(engine, (tape, p) => tape.Reshape(p[0], 8, 3), [x]);
        GradientCheck.Run(engine, (tape, p) => tape.Reshape(tape.Add(p[0], tape.Reshape(tape.Reshape(p[0], 12, 2), 4, 6)), 3, 8), [x]);
        using var tape = engine.BeginTape(training: false);
        var zeros = tape.Constant(new float[6], 2, 3);
        Assert.Equal([3, 1, 2], tape.Reshape(zeros, 3, 1, 2).Shape.ToArray());
        Assert.Throws<ArgumentException>(() => tape.Reshape(zeros, 4, 2));
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    [InlineData(37)]
    public void Softmax(int columns)
    {
        using var engine = CreateEngine();
        var x = TestNumbers.Normal(1, 4 * columns, 5f);
        var y = Forward(engine, (tape, p) => tape.Softmax(p[0]), new Input([4, columns], x));
        var expected = Enumerable.Range(0, 4).SelectMany(row => Reference.Softmax(x.AsSpan(row * columns, columns))).ToArray();
        TestNumbers.AssertClose(expected, y, 1e-6);
        GradientCheck.Run(engine, (tape, p) => tape.Softmax(p[0]), [Input.Random(1, 3, columns)]);
    }

    [SkippableFact]
    public void SoftmaxOfLargeLogits()
    {
        using var engine = CreateEngine();
        var y = Forward(engine, (tape, p) => tape.Softmax(p[0]), new Input([1, 3], [1000f, 999f, -1000f]));
        TestNumbers.AssertClose([0.7310585786, 0.2689414214, 0], y, 1e-6);
    }

    [SkippableFact]
    public void DropoutKeepsTheMean()
    {
        using var engine = CreateEngine();
        const int Count = 200_003;
        foreach (var rate in new[] { 0.1f, 0.5f, 0.9f })
        {
            using var tape = engine.BeginTape(training: true, seed: 3);
            var y = tape.Dropout(tape.Constant(Enumerable.Repeat(1f, Count).ToArray(), Count), rate).ToArray();
            var kept = y.Count(v => v != 0f);
            Assert.All(y, v => Assert.True(v == 0f || Math.Abs(v - 1f / (1f - rate)) < 1e-5f));
            Assert.Equal(1 - rate, kept / (double)Count, 0.005);

            // Neighbours are independent: both are kept with probability (1 − rate)².
            var both = Enumerable.Range(0, Count - 1).Count(i => y[i] != 0f && y[i + 1] != 0f);
            Assert.Equal((1 - rate) * (1 - rate), both / (double)Count, 0.005);
        }
    }

    [SkippableFact]
    public void DropoutDependsOnSeedAndPlace()
    {
        using var engine = CreateEngine();
        float[][] Masks(ulong seed)
        {
            using var tape = engine.BeginTape(training: true, seed);
            var x = tape.Constant(Enumerable.Repeat(1f, 1000).ToArray(), 1000);
            return [tape.Dropout(x, 0.5f).ToArray(), tape.Dropout(x, 0.5f).ToArray()];
        }

        var first = Masks(1);
        Assert.Equal(first, Masks(1));
        Assert.NotEqual(first[0], Masks(2)[0]);
        Assert.NotEqual(first[0], first[1]);
    }

    [SkippableFact]
    public void DropoutGradients()
    {
        using var engine = CreateEngine();
        GradientCheck.Run(engine, (tape, p) => tape.Dropout(p[0], 0.4f), [Input.Random(1, 5, 7)]);
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.Dropout(p[0], 0.4f), p[0]), [Input.Random(1, 5, 7)]);
    }

    [SkippableFact]
    public void AddDroppedIsTheSumWithWhatDropoutKeeps()
    {
        using var engine = CreateEngine();
        const int Count = 20_001;
        float[] Sum(bool training, Func<Tape, Tensor, Tensor, Tensor> sum)
        {
            using var tape = engine.BeginTape(training, seed: 3);
            tape.Dropout(tape.Constant([1f], 1), 0.5f);
            return sum(tape, tape.Constant(TestNumbers.Normal(1, Count), Count), tape.Constant(TestNumbers.Normal(2, Count), Count))
                .ToArray();
        }

        var expected = Sum(true, (tape, x, y) => tape.Add(x, tape.Dropout(y, 0.4f)));
        Assert.Equal(expected, Sum(true, (tape, x, y) => tape.AddDropped(x, y, 0.4f)));
        expected = Sum(true, (tape, x, y) => tape.Add(x, y));
        Assert.Equal(expected, Sum(true, (tape, x, y) => tape.AddDropped(x, y, 0f)));
        Assert.Equal(expected, Sum(false, (tape, x, y) => tape.AddDropped(x, y, 0.4f)));
    }

    [SkippableTheory]
    [InlineData(0f)]
    [InlineData(0.4f)]
    public void AddDroppedGradients(float rate)
    {
        using var engine = CreateEngine();
        var (x, y) = (Input.Random(1, 5, 7), Input.Random(2, 5, 7));
        GradientCheck.Run(engine, (tape, p) => tape.AddDropped(p[0], p[1], rate), [x, y]);
        GradientCheck.Run(engine, (tape, p) => tape.AddDropped(p[0], p[0], rate), [x]);
        GradientCheck.Run(engine, (tape, p) => tape.AddDropped(tape.Constant(y.Values, 5, 7), p[0], rate), [x]);
        GradientCheck.Run(engine, (tape, p) => tape.AddDropped(p[0], tape.Constant(y.Values, 5, 7), rate), [x]);

        // Results among results: a sum whose inputs, and which itself, are used again before and after.
        GradientCheck.Run(
            engine,
            (tape, p) =>
            {
                var scaled = tape.Scale(p[0], 2f);
                var early = tape.Softmax(scaled);
                var sum = tape.AddDropped(scaled, tape.Scale(p[1], -1f), rate);
                return tape.Concat(early, tape.AddDropped(sum, sum, rate), tape.Softmax(sum), scaled);
            },
            [x, y]);
    }

    [SkippableFact]
    public void AddDroppedRejectsWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: true);
        var x = tape.Constant([1, 2], 2);
        Assert.Throws<ArgumentException>(() => tape.AddDropped(x, tape.Constant([1], 1), 0.1f));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.AddDropped(x, x, 1f));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.AddDropped(x, x, float.NaN));
    }

    [SkippableFact]
    public void DropoutOfRateZeroOrWithoutTrainingIsNothing()
    {
        using var engine = CreateEngine();
        using var training = engine.BeginTape(training: true);
        var x = training.Constant([1, 2], 2);
        Assert.Same(x, training.Dropout(x, 0f));
        Assert.Throws<ArgumentOutOfRangeException>(() => training.Dropout(x, 1f));
        Assert.Throws<ArgumentOutOfRangeException>(() => training.Dropout(x, float.NaN));
        using var inference = engine.BeginTape(training: false);
        Assert.Equal([1f, 2f], inference.Dropout(inference.Constant([1, 2], 2), 0.5f).ToArray());
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(16)]
    [InlineData(35)]
    [InlineData(150)]
    public void LayerNorm(int columns)
    {
        using var engine = CreateEngine();
        var x = TestNumbers.Normal(1, 3 * columns, 3f).Select(v => v + 10f).ToArray();
        var gain = TestNumbers.Normal(2, columns);
        var bias = TestNumbers.Normal(3, columns);
        var y = Forward(
            engine,
            (tape, p) => tape.LayerNorm(p[0], p[1], p[2], 1e-3f),
            new Input([3, columns], x),
            new Input([columns], gain),
            new Input([columns], bias));
        TestNumbers.AssertClose(Reference.LayerNorm(x, gain, bias, columns, 1e-3), y);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.LayerNorm(p[0], p[1], p[2], 0.1f),
            [Input.Random(1, 3, columns), Input.Random(2, columns), Input.Random(3, columns)]);
    }

    [SkippableFact]
    public void LayerNormOfConstantInputOnlyTrainsGainAndBias()
    {
        using var engine = CreateEngine();
        GradientCheck.Run(
            engine,
            (tape, p) => tape.LayerNorm(tape.Constant(TestNumbers.Normal(1, 15), 3, 5), p[0], p[1]),
            [Input.Random(2, 5), Input.Random(3, 5)]);
        using var tape = engine.BeginTape(training: false);
        Assert.Throws<ArgumentException>(() =>
            tape.LayerNorm(tape.Constant(new float[6], 2, 3), tape.Constant(new float[2], 2), tape.Constant(new float[3], 3)));
    }
}
