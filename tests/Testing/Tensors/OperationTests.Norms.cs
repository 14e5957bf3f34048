using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableTheory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(67)]
    public void RmsNormEqualsALoop(int columns)
    {
        using var engine = CreateEngine();
        foreach (var epsilon in new[] { 0f, 1e-6f, 0.3f })
        {
            var (x, gain) = (Input.Random(1, 5, columns), Input.Random(2, columns));
            var y = Forward(engine, (tape, p) => tape.RmsNorm(p[0], p[1], epsilon), x, gain);
            TestNumbers.AssertClose(Reference.RmsNorm(x.Values, gain.Values, columns, epsilon), y);
        }
    }

    [SkippableFact]
    public void RmsNormGradients()
    {
        using var engine = CreateEngine();
        foreach (var (rows, columns) in new[] { (1, 1), (3, 5), (70, 2) })
        {
            Input[] inputs = [Input.Random(1, rows, columns), Input.Random(2, columns)];
            GradientCheck.Run(engine, (tape, p) => tape.RmsNorm(p[0], p[1], 0.1f), inputs);
            GradientCheck.Run(engine, (tape, p) => tape.Add(tape.RmsNorm(p[0], p[1], 0.1f), p[0]), inputs);
        }
    }

    /// <summary>A gain that is shorter than a row serves each of the row's equal runs.</summary>
    [SkippableFact]
    public void RmsNormOfHeads()
    {
        using var engine = CreateEngine();
        var (x, gain) = (Input.Random(1, 5, 12), Input.Random(2, 4));
        var y = Forward(engine, (tape, p) => tape.RmsNorm(p[0], p[1], 1e-6f), x, gain);
        TestNumbers.AssertClose(Reference.RmsNorm(x.Values, gain.Values, 4, 1e-6f), y);
        Input[] inputs = [Input.Random(1, 3, 6), Input.Random(2, 3)];
        GradientCheck.Run(engine, (tape, p) => tape.RmsNorm(p[0], p[1], 0.1f), inputs);
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.RmsNorm(p[0], p[1], 0.1f), p[0]), inputs);
    }

    [SkippableFact]
    public void RmsNormOfNothingAndOfWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        Assert.Empty(Forward(engine, (tape, p) => tape.RmsNorm(p[0], p[1]), new Input([0, 3], []), Input.Random(1, 3)));
        using var tape = engine.BeginTape(training: false);
        var (x, gain) = (tape.Constant(new float[6], 2, 3), tape.Constant(new float[2], 2));
        var error = Assert.Throws<ArgumentException>(() => tape.RmsNorm(x, gain));
        Assert.Contains("RmsNorm", error.Message, StringComparison.Ordinal);
        Assert.Contains("gain", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.RmsNorm(x, tape.Constant(new float[3], 3), -1f));
    }

    [SkippableFact]
    public void Multiply()
    {
        using var engine = CreateEngine();
        foreach (var shape in new int[][] { [5, 7], [1], [0, 4], [2, 3, 20] })
        {
            var (x, y) = (Input.Random(1, shape), Input.Random(2, shape));
            var product = Forward(engine, (tape, p) => tape.Multiply(p[0], p[1]), x, y);
            TestNumbers.AssertClose(x.Values.Zip(y.Values, (a, b) => (double)a * b).ToArray(), product);
        }

        Input[] inputs = [Input.Random(1, 3, 5), Input.Random(2, 3, 5)];
        GradientCheck.Run(engine, (tape, p) => tape.Multiply(p[0], p[1]), inputs);
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.Multiply(p[0], p[1]), p[1]), inputs);
        GradientCheck.Run(engine, (tape, p) => tape.Multiply(p[0], p[0]), inputs[..1]);
        GradientCheck.Run(engine, (tape, p) => tape.Multiply(p[0], tape.Constant(inputs[1].Values, 3, 5)), inputs[..1]);
        using var tape = engine.BeginTape(training: false);
        Assert.Throws<ArgumentException>(() => tape.Multiply(tape.Constant(new float[6], 2, 3), tape.Constant(new float[6], 3, 2)));
    }

    public static TheoryData<int, int, int, bool> RotaryShapes => new()
    {
        { 1, 2, 2, false },
        { 1, 2, 2, true },
        { 3, 8, 8, false },
        { 3, 8, 8, true },
        { 2, 10, 6, false },
        { 2, 10, 6, true },
        { 2, 5, 0, false },
    };

    [SkippableTheory]
    [MemberData(nameof(RotaryShapes))]
    public void RotaryTurnsPairsByTheirPositions(int heads, int headWidth, int turnedWidth, bool isInterleaved)
    {
        using var engine = CreateEngine();
        int[] positions = [0, 1, 7, 300, 2];
        var rotary = RotaryFrequencies.OfTheta(turnedWidth, 100, isInterleaved);
        var x = Input.Random(1, positions.Length, heads * headWidth);
        var expected = Reference.Doubles(x.Values);
        for (var token = 0; token < positions.Length; token++)
        {
            for (var head = 0; head < heads; head++)
            {
                var start = (token * heads + head) * headWidth;
                for (var pair = 0; pair < turnedWidth / 2; pair++)
                {
                    var first = start + (isInterleaved ? 2 * pair : pair);
                    var second = first + (isInterleaved ? 1 : turnedWidth / 2);
                    var angle = positions[token] * Math.Pow(100, -2.0 * pair / turnedWidth);
                    (expected[first], expected[second]) = (
                        expected[first] * Math.Cos(angle) - expected[second] * Math.Sin(angle),
                        expected[first] * Math.Sin(angle) + expected[second] * Math.Cos(angle));
                }
            }
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.Rotary(p[0], positions, heads, rotary), x), 3e-5);
        GradientCheck.Run(engine, (tape, p) => tape.Rotary(p[0], positions, heads, rotary), [x]);
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.Rotary(p[0], positions, heads, rotary), p[0]), [x]);
    }

    [SkippableFact]
    public void RotaryTurnsSomeColumnsOfEachTokenAsItsOwnFrequenciesSay()
    {
        using var engine = CreateEngine();
        int[] positions = [3, 0, 5];
        var x = Input.Random(1, 3, 2 * 7);
        foreach (var isInterleaved in new[] { false, true })
        {
            var slow = new RotaryFrequencies([0.1f, 0.2f], isInterleaved) { FirstColumn = 2, Amplitude = 1.5f };
            var fast = new RotaryFrequencies([0.7f, 1.1f], isInterleaved) { FirstColumn = 2 };
            RotaryFrequencies[] ofTokens = [slow, slow, fast];
            var expected = Reference.Doubles(x.Values);
            for (var token = 0; token < 3; token++)
            {
                for (var head = 0; head < 2; head++)
                {
                    for (var pair = 0; pair < 2; pair++)
                    {
                        var first = (token * 2 + head) * 7 + 2 + (isInterleaved ? 2 * pair : pair);
                        var second = first + (isInterleaved ? 1 : 2);
                        var angle = positions[token] * (double)ofTokens[token].Values[pair];
                        var (a, b, m) = (expected[first], expected[second], ofTokens[token].Amplitude);
                        expected[first] = m * (a * Math.Cos(angle) - b * Math.Sin(angle));
                        expected[second] = m * (a * Math.Sin(angle) + b * Math.Cos(angle));
                    }
                }
            }

            TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.Rotary(p[0], positions, 2, ofTokens), x), 1e-5);
            GradientCheck.Run(engine, (tape, p) => tape.Rotary(p[0], positions, 2, ofTokens), [x]);
        }

        using var tape = engine.BeginTape(training: false);
        var zeros = tape.Constant(new float[14], 1, 14);
        var rotary = RotaryFrequencies.OfTheta(4);
        Assert.Throws<ArgumentException>(() => tape.Rotary(zeros, [1], 2, [rotary, rotary]));
        Assert.Throws<ArgumentException>(() => tape.Rotary(zeros, [1], 2, new RotaryFrequencies([1f, 1f]) { FirstColumn = 4 }));
        Assert.Throws<ArgumentException>(() => tape.Rotary(
            tape.Constant(new float[28], 2, 14), [1, 2], 2, [rotary, RotaryFrequencies.OfTheta(4, isInterleaved: true)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RotaryFrequencies([1f]) { Amplitude = 0f });
        Assert.Throws<ArgumentOutOfRangeException>(() => new RotaryFrequencies([1f]) { FirstColumn = -1 });
    }

    [SkippableFact]
    public void RotaryKeepsProductsOfEqualDistances()
    {
        using var engine = CreateEngine();
        const int Width = 16;
        var (query, key) = (TestNumbers.Normal(1, Width), TestNumbers.Normal(2, Width));
        double Product(int position, int other, bool isInterleaved)
        {
            var rotary = RotaryFrequencies.OfTheta(Width, isInterleaved: isInterleaved);
            var turned = Forward(
                engine, (tape, p) => tape.Rotary(p[0], [position, other], 1, rotary), new Input([2, Width], [.. query, .. key]));
            return Enumerable.Range(0, Width).Sum(i => (double)turned[i] * turned[Width + i]);
        }

        foreach (var isInterleaved in new[] { false, true })
            Assert.Equal(Product(3, 1, isInterleaved), Product(102, 100, isInterleaved), 1e-4);
    }

    [SkippableFact]
    public void RotaryOfNothingAndOfWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        var rotary = RotaryFrequencies.OfTheta(4);
        Assert.Empty(Forward(engine, (tape, p) => tape.Rotary(p[0], [], 2, rotary), new Input([0, 8], [])));
        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[16], 2, 8);
        Assert.Throws<ArgumentException>(() => tape.Rotary(x, [1], 2, rotary));
        Assert.Throws<ArgumentException>(() => tape.Rotary(x, [1, 2], 3, rotary));
        Assert.Throws<ArgumentException>(() => tape.Rotary(x, [1, 2], 4, rotary));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Rotary(x, [1, -1], 2, rotary));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Rotary(x, [1, 1 << 24], 2, rotary));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Rotary(x, [1, 2], 0, rotary));
        Assert.Throws<ArgumentOutOfRangeException>(() => RotaryFrequencies.OfTheta(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => RotaryFrequencies.OfTheta(4, 0));
        Assert.Throws<ArgumentException>(() => new RotaryFrequencies([1f, float.NaN]));
    }
}
