using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableTheory]
    [InlineData(0f, false)]
    [InlineData(0.1f, false)]
    [InlineData(0.1f, true)]
    public void CrossEntropy(float smoothing, bool weighted)
    {
        using var engine = CreateEngine();
        const int Classes = 19;
        int[] targets = [3, 0, 18, 7];
        float[] weights = weighted ? [2f, 0f, 0.5f, 1f] : [];
        var logits = new Input([4, Classes], TestNumbers.Normal(1, 4 * Classes, 3f));
        var loss = 0.0;
        for (var row = 0; row < 4; row++)
        {
            var logSum = Reference.LogSumExp(logits.Values.AsSpan(row * Classes, Classes));
            var cost = 0.0;
            for (var c = 0; c < Classes; c++)
            {
                var q = smoothing / Classes + (c == targets[row] ? 1 - smoothing : 0);
                cost += q * (logSum - logits.Values[row * Classes + c]);
            }

            loss += cost * (weighted ? weights[row] / 3.5 : 0.25);
        }

        TestNumbers.AssertClose([loss], Forward(engine, (tape, p) => tape.CrossEntropy(p[0], targets, weights, smoothing), logits));
        GradientCheck.Run(engine, (tape, p) => tape.CrossEntropy(p[0], targets, weights, smoothing), [logits]);
    }

    [SkippableFact]
    public void CrossEntropyRejectsWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var logits = tape.Constant(new float[6], 2, 3);
        Assert.Throws<ArgumentException>(() => tape.CrossEntropy(logits, [0], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.CrossEntropy(logits, [0, 3], []));
        Assert.Throws<ArgumentException>(() => tape.CrossEntropy(logits, [0, 1], [1f]));
        Assert.Throws<ArgumentException>(() => tape.CrossEntropy(logits, [0, 1], [0f, 0f]));
        Assert.Throws<ArgumentException>(() => tape.CrossEntropy(logits, [0, 1], [1f, float.NaN]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.CrossEntropy(logits, [0, 1], [], 1f));
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void SoftTargetCrossEntropy(bool weighted)
    {
        using var engine = CreateEngine();
        const int Classes = 19;
        float[] weights = weighted ? [2f, 0f, 0.5f, 1f] : [];
        var logits = new Input([4, Classes], TestNumbers.Normal(1, 4 * Classes, 3f));
        var targets = TestNumbers.Normal(2, 4 * Classes, 0.2f).Select(value => Math.Max(0f, value)).ToArray();
        targets.AsSpan(2 * Classes, Classes).Clear();
        var loss = 0.0;
        for (var i = 0; i < 4 * Classes; i++)
        {
            var logSum = Reference.LogSumExp(logits.Values.AsSpan(i / Classes * Classes, Classes));
            loss += targets[i] * (logSum - logits.Values[i]) * (weighted ? weights[i / Classes] / 3.5 : 0.25);
        }

        TestNumbers.AssertClose([loss], Forward(engine, (tape, p) => tape.SoftTargetCrossEntropy(p[0], targets, weights), logits));
        GradientCheck.Run(engine, (tape, p) => tape.SoftTargetCrossEntropy(p[0], targets, weights), [logits], tolerance: 1e-3);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Add(tape.SoftTargetCrossEntropy(p[0], targets, weights), tape.CrossEntropy(p[0], [1, 2, 3, 4], [])),
            [logits],
            tolerance: 1e-3);
    }

    [SkippableFact]
    public void SoftTargetsOfNothingWithoutProbabilityAndThatDoNotFit()
    {
        using var engine = CreateEngine();
        var impossible = new Input([1, 3], [1f, float.NegativeInfinity, 1f]);
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.SoftTargetCrossEntropy(p[0], [], []), new Input([0, 2], [])));
        TestNumbers.AssertClose(
            [Math.Log(2)], Forward(engine, (tape, p) => tape.SoftTargetCrossEntropy(p[0], [0.5f, 0f, 0.5f], []), impossible));
        using var tape = engine.BeginTape(training: false);
        var logits = tape.Constant(new float[6], 2, 3);
        Assert.Throws<ArgumentException>(() => tape.SoftTargetCrossEntropy(logits, [1f, 0f, 0f], []));
        Assert.Throws<ArgumentException>(() => tape.SoftTargetCrossEntropy(logits, new float[6], [0f, 0f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.SoftTargetCrossEntropy(logits, [1f, 0f, 0f, -1f, 0f, 0f], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.SoftTargetCrossEntropy(logits, [1f, 0f, 0f, float.NaN, 0f, 0f], []));
    }

    [SkippableTheory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(5, true)]
    public void LossesOfElements(int columns, bool weighted)
    {
        using var engine = CreateEngine();
        var values = new Input([4, columns], TestNumbers.Normal(1, 4 * columns, 2f));
        var numbers = TestNumbers.Normal(2, 4 * columns);
        var shares = numbers.Select(x => 1f / (1f + MathF.Exp(-3f * x))).ToArray();
        (shares[0], shares[1]) = (0f, 1f);
        float[] weights = weighted ? [2f, 0f, 0.5f, 1f] : [];
        var (squares, entropy) = (0.0, 0.0);
        for (var i = 0; i < 4 * columns; i++)
        {
            var weight = (weighted ? weights[i / columns] / 3.5 : 0.25) / columns;
            squares += weight * Math.Pow((double)values.Values[i] - numbers[i], 2);
            var p = 1 / (1 + Math.Exp(-values.Values[i]));
            entropy -= weight * (shares[i] * Math.Log(p) + (1 - shares[i]) * Math.Log(1 - p));
        }

        TestNumbers.AssertClose([squares], Forward(engine, (tape, p) => tape.SquaredError(p[0], numbers, weights), values));
        TestNumbers.AssertClose([entropy], Forward(engine, (tape, p) => tape.BinaryCrossEntropy(p[0], shares, weights), values));
        GradientCheck.Run(engine, (tape, p) => tape.SquaredError(p[0], numbers, weights), [values], tolerance: 1e-3);
        GradientCheck.Run(engine, (tape, p) => tape.BinaryCrossEntropy(p[0], shares, weights), [values]);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Add(tape.SquaredError(p[0], numbers, weights), tape.BinaryCrossEntropy(p[0], shares, weights)),
            [values],
            tolerance: 1e-3);
    }

    [SkippableFact]
    public void LossesOfElementsOfNothingOfLargeLogitsAndOfWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.SquaredError(p[0], [], []), new Input([0, 2], [])));
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.BinaryCrossEntropy(p[0], [], []), new Input([0, 1], [])));
        TestNumbers.AssertClose(
            [500], Forward(engine, (tape, p) => tape.BinaryCrossEntropy(p[0], [0f, 1f], []), new Input([2, 1], [1000f, 1000f])));
        using var tape = engine.BeginTape(training: false);
        var values = tape.Constant(new float[2], 2, 1);
        Assert.Throws<ArgumentException>(() => tape.SquaredError(values, [1f], []));
        Assert.Throws<ArgumentException>(() => tape.SquaredError(tape.Constant([], 2, 0), [], []));
        Assert.Throws<ArgumentException>(() => tape.SquaredError(values, [1f, 2f], [1f]));
        Assert.Throws<ArgumentException>(() => tape.BinaryCrossEntropy(values, [1f, 1f], [0f, 0f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.SquaredError(values, [1f, float.NaN], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.BinaryCrossEntropy(values, [1f, 1.5f], []));
    }

    [SkippableFact]
    public void LossScaleMultipliesGradients()
    {
        using var engine = CreateEngine();
        float[] Gradient(float scale)
        {
            var logits = engine.CreateParameter("logits", [2, 3], [1, 2, 3, 3, 2, 1]).Value;
            using var tape = engine.BeginTape(training: true);
            tape.Backward(tape.CrossEntropy(logits, [0, 1], []), scale);
            var gradient = new float[6];
            logits.CopyGradientTo(gradient);
            return gradient;
        }

        TestNumbers.AssertClose(Gradient(1f).Select(g => 0.25 * g).ToArray(), Gradient(0.25f), 1e-7);
    }

    [SkippableTheory]
    [MemberData(nameof(Padding))]
    public void RouterLosses(bool padded)
    {
        using var engine = CreateEngine();
        var layout = Layout(padded);
        foreach (var experts in new[] { 1, 3, 17 })
        {
            // Spaced, so that no difference changes the largest logit; a loss of about 20 leaves its differences fewer digits.
            var logits = new Input([11, experts], TestNumbers.Spaced(5, 11 * experts, 0.05f));
            var shares = new double[experts];
            var probabilities = new double[experts];
            var squares = 0.0;
            var tokens = Enumerable.Range(0, 11).Where(layout.IsToken).ToArray();
            foreach (var token in tokens)
            {
                var l = logits.Values.AsSpan(token * experts, experts);
                var p = Reference.Softmax(l);
                shares[Reference.Largest(l)] += 1.0 / tokens.Length;
                for (var e = 0; e < experts; e++)
                    probabilities[e] += p[e] / tokens.Length;
                squares += Math.Pow(Reference.LogSumExp(l), 2) / tokens.Length;
            }

            var balance = experts * shares.Zip(probabilities, (s, p) => s * p).Sum();
            TestNumbers.AssertClose([balance], Forward(engine, (tape, p) => tape.LoadBalancingLoss(p[0], layout), logits));
            TestNumbers.AssertClose([squares], Forward(engine, (tape, p) => tape.RouterZLoss(p[0], layout), logits));
            GradientCheck.Run(engine, (tape, p) => tape.LoadBalancingLoss(p[0], layout), [logits]);
            GradientCheck.Run(engine, (tape, p) => tape.RouterZLoss(p[0], layout), [logits], tolerance: 1e-3);
        }
    }

    [SkippableFact]
    public void RouterLossesWithoutTokensAreZero()
    {
        using var engine = CreateEngine();
        var layout = new SequenceLayout([0, 2], [false, false]);
        var logits = Input.Random(1, 2, 3);
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.LoadBalancingLoss(p[0], layout), logits));
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.RouterZLoss(p[0], layout), logits));
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.LoadBalancingLoss(p[0], layout), tape.RouterZLoss(p[0], layout)), [logits]);
    }

    [SkippableFact]
    public void BalancedRouterHasLoadBalancingLossOne()
    {
        // Two tokens, two experts, mirrored logits: every share and mean probability is 1/2, so 2·(1/2·1/2 + 1/2·1/2) = 1.
        using var engine = CreateEngine();
        var layout = new SequenceLayout([0, 2]);
        TestNumbers.AssertClose(
            [1], Forward(engine, (tape, p) => tape.LoadBalancingLoss(p[0], layout), new Input([2, 2], [1f, -1f, -1f, 1f])));
    }
}
