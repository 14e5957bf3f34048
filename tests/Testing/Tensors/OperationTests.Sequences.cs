using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    /// <summary>Sequences of 3, 0, 1, 5 and 2 rows.</summary>
    private static readonly int[] _offsets = [0, 3, 3, 4, 9, 11];

    /// <summary>The same with padding: one at the start, three within a sequence, the last sequence altogether.</summary>
    private static readonly bool[] _mask = [false, true, true, true, true, false, true, false, false, false, false];

    public static TheoryData<bool> Padding => [false, true];

    private static SequenceLayout Layout(bool padded) => new(_offsets, padded ? _mask : null);

    [SkippableTheory]
    [MemberData(nameof(Padding))]
    public void AttentionEqualsDoubleLoop(bool padded)
    {
        using var engine = CreateEngine();
        foreach (var (heads, width) in new[] { (1, 3), (2, 6), (4, 64), (2, 70) })
        {
            var qkv = Input.Random(1, 11, 3 * width);
            var y = Forward(engine, (tape, p) => tape.Attention(p[0], Layout(padded), heads, 0.5f), qkv);
            TestNumbers.AssertClose(Reference.Attention(qkv.Values, Layout(padded), heads, width), y);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Padding))]
    public void AttentionGradients(bool padded)
    {
        using var engine = CreateEngine();
        foreach (var dropout in new[] { 0f, 0.3f })
        {
            GradientCheck.Run(
                engine, (tape, p) => tape.Attention(p[0], Layout(padded), 2, dropout), [Input.Random(1, 11, 12)]);
        }
    }

    [SkippableFact]
    public void AttentionOverALongSequence()
    {
        using var engine = CreateEngine();
        var layout = new SequenceLayout([0, 300, 437]);
        var qkv = Input.Random(1, 437, 3 * 8);
        var y = Forward(engine, (tape, p) => tape.Attention(p[0], layout, 2), qkv);
        TestNumbers.AssertClose(Reference.Attention(qkv.Values, layout, 2, 8), y);
    }

    [SkippableTheory]
    [InlineData(0f)]
    [InlineData(0.3f)]
    public void AttentionGradientsOfLongerSequences(float dropout)
    {
        using var engine = CreateEngine();
        foreach (var (length, other, width) in new[] { (17, 40, 3), (150, 1, 1) })
        {
            var layout = new SequenceLayout([0, length, length + other]);
            GradientCheck.Run(
                engine, (tape, p) => tape.Attention(p[0], layout, 1, dropout), [Input.Random(1, length + other, 3 * width)]);
        }
    }

    [SkippableFact]
    public void AttentionWithoutTokens()
    {
        using var engine = CreateEngine();
        Assert.Empty(Forward(engine, (tape, p) => tape.Attention(p[0], new SequenceLayout([0]), 2), new Input([0, 12], [])));
        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[24], 2, 12);
        Assert.Throws<ArgumentException>(() => tape.Attention(x, new SequenceLayout([0, 3]), 2));
        Assert.Throws<ArgumentException>(() => tape.Attention(x, new SequenceLayout([0, 2]), 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Attention(x, new SequenceLayout([0, 2]), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Attention(x, new SequenceLayout([0, 2]), 2, 1f));
    }

    [SkippableTheory]
    [MemberData(nameof(Padding))]
    public void MeanAndMaxPool(bool padded)
    {
        using var engine = CreateEngine();
        var layout = Layout(padded);
        const int Width = 5;
        var x = new Input([11, Width], TestNumbers.Spaced(1, 11 * Width, 0.1f));
        var means = new double[layout.Sequences * Width];
        var largest = new double[layout.Sequences * Width];
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            for (var c = 0; c < Width; c++)
            {
                var values = Enumerable.Range(_offsets[sequence], _offsets[sequence + 1] - _offsets[sequence])
                    .Where(layout.IsToken)
                    .Select(t => (double)x.Values[t * Width + c])
                    .DefaultIfEmpty(0)
                    .ToArray();
                means[sequence * Width + c] = values.Average();
                largest[sequence * Width + c] = values.Max();
            }
        }

        TestNumbers.AssertClose(means, Forward(engine, (tape, p) => tape.MeanPool(p[0], layout), x));
        TestNumbers.AssertClose(largest, Forward(engine, (tape, p) => tape.MaxPool(p[0], layout), x));
        GradientCheck.Run(engine, (tape, p) => tape.MeanPool(p[0], layout), [x]);
        GradientCheck.Run(engine, (tape, p) => tape.MaxPool(p[0], layout), [x]);
    }

    [SkippableTheory]
    [MemberData(nameof(Padding))]
    public void AttentionPool(bool padded)
    {
        using var engine = CreateEngine();
        var layout = Layout(padded);
        const int Width = 5;
        const int Queries = 3;
        var x = Input.Random(1, 11, Width);
        var scores = Input.Random(2, 11, Queries);
        var expected = new double[layout.Sequences * Queries * Width];
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var tokens = Enumerable.Range(_offsets[sequence], _offsets[sequence + 1] - _offsets[sequence]).Where(layout.IsToken).ToArray();
            for (var query = 0; query < Queries; query++)
            {
                var p = Reference.Softmax(tokens.Select(t => (double)scores.Values[t * Queries + query]).ToArray());
                for (var i = 0; i < tokens.Length; i++)
                {
                    for (var c = 0; c < Width; c++)
                        expected[(sequence * Queries + query) * Width + c] += p[i] * x.Values[tokens[i] * Width + c];
                }
            }
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.AttentionPool(p[0], p[1], layout), x, scores));
        GradientCheck.Run(engine, (tape, p) => tape.AttentionPool(p[0], p[1], layout), [x, scores]);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(2)]
    public void SequencesWithoutTokens(int sequences)
    {
        using var engine = CreateEngine();
        var layout = new SequenceLayout(new int[sequences + 1]);
        var x = new Input([0, 6], []);
        Assert.Equal(new float[sequences * 6], Forward(engine, (tape, p) => tape.MeanPool(p[0], layout), x));
        Assert.Equal(new float[sequences * 6], Forward(engine, (tape, p) => tape.MaxPool(p[0], layout), x));
        Assert.Equal(new float[sequences * 36], Forward(engine, (tape, p) => tape.AttentionPool(p[0], p[0], layout), x));
        Assert.Empty(Forward(engine, (tape, p) => tape.Attention(p[0], layout, 1), x));
        Assert.Empty(Forward(engine, (tape, p) => tape.Softmax(p[0]), x));
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.RouterZLoss(p[0], layout), x));
        Assert.Equal([0f], Forward(engine, (tape, p) => tape.CrossEntropy(p[0], [], []), x));
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Concat(tape.MeanPool(p[0], layout), tape.MaxPool(p[0], layout), tape.AttentionPool(p[0], p[0], layout)),
            [x]);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.LayerNorm(tape.Dropout(tape.Attention(p[0], layout, 1), 0.1f), p[1], p[1]),
            [x, Input.Random(1, 2)]);
    }

    [SkippableFact]
    public void PoolsRejectLayoutsThatDoNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[6], 3, 2);
        var layout = new SequenceLayout([0, 2]);
        Assert.Throws<ArgumentException>(() => tape.MeanPool(x, layout));
        Assert.Throws<ArgumentException>(() => tape.MaxPool(x, layout));
        Assert.Throws<ArgumentException>(() => tape.AttentionPool(x, x, layout));
        Assert.Throws<ArgumentException>(() => tape.LoadBalancingLoss(x, layout));
        Assert.Throws<ArgumentException>(() => tape.RouterZLoss(x, layout));
    }
}
