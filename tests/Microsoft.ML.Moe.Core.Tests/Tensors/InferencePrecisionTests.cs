using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Weights in bfloat16: rounded right, and multiplied like any others, for every width of vectors.</summary>
public sealed unsafe class InferencePrecisionTests
{
    private const int Width = 300;
    private const int HiddenWidth = 70;
    private const int Experts = 3;

    public static TheoryData<int> Widths => [128, 256, 512];

    [Theory]
    [MemberData(nameof(Widths))]
    public void RoundingIsToTheNearestAndOfTwoToTheEven(int bits)
    {
        var kernels = Create(bits);
        var random = new Random(1);
        float[] x =
        [
            0f, -0f, 1f, -1f, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, float.Epsilon, 1.00390625f, 1.01171875f,
            -1.00390625f, 1.003906f, 1.0039064f, BitConverter.UInt32BitsToSingle(0x7F800001), float.NaN,
            .. Enumerable.Range(0, 20_000).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue))),
        ];
        var rows = (x.Length + kernels.TileColumns - 1) / kernels.TileColumns;
        Array.Resize(ref x, rows * kernels.TileColumns);
        var rounded = new ushort[x.Length];
        fixed (float* source = x)
        fixed (ushort* target = rounded)
            kernels.RoundPanel(rows, source, (float*)target);

        var half = kernels.TileColumns / 2;
        for (var i = 0; i < x.Length; i++)
        {
            var (row, column) = (i / kernels.TileColumns, i % kernels.TileColumns);
            var actual = rounded[row * kernels.TileColumns + 2 * (column % half) + column / half];
            var expected = Nearest(x[i]);
            if (float.IsNaN(expected))
                Assert.True(float.IsNaN(Widened(actual)));
            else
                Assert.Equal(BitConverter.SingleToUInt32Bits(expected) >> 16, actual);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void ProductsAreThoseOfRoundedWeightsToTheLastBit(int bits)
    {
        using var engine = new ManagedEngine(2, Create(bits));
        var weights = new Weights(engine, round: false);
        var (rounded, expected) = (weights.In(engine, InferencePrecision.BFloat16), new Weights(engine, round: true));
        foreach (var rows in new[] { 1, 2, 4, 5, 7, 12, 13, 50 })
        {
            var x = TestNumbers.Normal(rows, rows * Width);
            var actual = rounded.Run(engine, x);
            Assert.Equal(expected.Run(engine, x), actual);
            Assert.NotEqual(weights.Run(engine, x), actual);
        }
    }

    [Fact]
    public void NewValuesAreSeen()
    {
        using var engine = new ManagedEngine(1);
        var x = TestNumbers.Normal(1, 5 * Width);
        var weights = new Weights(engine, round: false);
        var rounded = weights.In(engine, InferencePrecision.BFloat16);
        var before = rounded.Run(engine, x);

        weights.Matrix.Value.CopyFrom(TestNumbers.Normal(9, Width * Width));

        var after = rounded.Run(engine, x);
        Assert.NotEqual(before, after);
        Assert.Equal(weights.In(engine, InferencePrecision.BFloat16).Run(engine, x), after);
    }

    [Fact]
    public void AViewHasTheValuesOfItsParameterAndCannotBeTrained()
    {
        using var engine = new ManagedEngine(1);
        var parameter = engine.CreateParameter("weight", [3, 2], TestNumbers.Normal(1, 6));

        var view = engine.InPrecision(parameter, InferencePrecision.BFloat16);

        Assert.Equal("weight", view.Name);
        Assert.Equal(parameter.Value.ToArray(), view.Value.ToArray());
        Assert.Same(parameter, engine.InPrecision(parameter, InferencePrecision.Full));
        Assert.Same(view, engine.InPrecision(view, InferencePrecision.BFloat16));
        Assert.Same(parameter.Value, engine.InPrecision(view, InferencePrecision.Full).Value);
        Assert.True(view.IsFrozen);
        Assert.Throws<InvalidOperationException>(() => view.IsFrozen = false);
    }

    private static Kernels Create(int bits) => bits switch
    {
        512 => new Kernels<Simd512, Vector512<float>>(),
        256 => new Kernels<Simd256, Vector256<float>>(),
        _ => new Kernels<Simd128, Vector128<float>>(),
    };

    private static float Widened(ushort upper) => BitConverter.UInt32BitsToSingle((uint)upper << 16);

    // By comparing distances in double precision; beyond the largest bfloat16 lies, at the same distance as from the one before, infinity.
    private static float Nearest(float x)
    {
        if (!float.IsFinite(x))
            return x;
        var below = (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16);
        var above = (ushort)(below + 1);
        var (low, high) = ((double)Widened(below), (double)Widened(above));
        if (!double.IsFinite(high))
            high = double.CopySign(Math.ScaleB(1, 128), x);
        var (toLow, toHigh) = (Math.Abs(x - low), Math.Abs(high - x));
        return toLow < toHigh || (toLow == toHigh && below % 2 == 0) ? Widened(below) : Widened(above);
    }

    /// <summary>A linear layer and gated experts after it.</summary>
    private sealed class Weights
    {
        private readonly Experts _experts;

        public Weights(Engine engine, bool round)
            : this(
                Make(engine, "weight", 2, round, Width, Width),
                Make(engine, "w1", 3, round, Experts, Width, HiddenWidth),
                Make(engine, "w2", 4, round, Experts, HiddenWidth, Width),
                Make(engine, "gate", 5, round, Experts, Width, HiddenWidth))
        {
        }

        private Weights(Parameter matrix, Parameter w1, Parameter w2, Parameter gate)
        {
            (Matrix, W1, W2, Gate) = (matrix, w1, w2, gate);
            _experts = new Experts(w1, null, w2, null, Activation.Silu, gate);
        }

        public Parameter Matrix { get; }

        private Parameter W1 { get; }

        private Parameter W2 { get; }

        private Parameter Gate { get; }

        public Weights In(Engine engine, InferencePrecision precision) => new(
            engine.InPrecision(Matrix, precision),
            engine.InPrecision(W1, precision),
            engine.InPrecision(W2, precision),
            engine.InPrecision(Gate, precision));

        public float[] Run(Engine engine, float[] x)
        {
            using var tape = engine.BeginTape(training: false);
            var tokens = x.Length / Width;
            var hidden = tape.Linear(tape.Constant(x, tokens, Width), Matrix);
            var logits = tape.Constant(TestNumbers.Normal(6, tokens * Experts), tokens, Experts);
            var plan = tape.Route(logits, new TokenChoice(2, normalizeWeights: true), new SequenceLayout([0, tokens]));
            return tape.GroupedExperts(hidden, tape.CombineWeights(logits, plan), plan, _experts).ToArray();
        }

        private static Parameter Make(Engine engine, string name, int seed, bool round, params int[] shape)
        {
            var values = TestNumbers.Normal(seed, TestNumbers.Product(shape), 0.1f);
            return engine.CreateParameter(name, shape, round ? [.. values.Select(Nearest)] : values);
        }
    }
}
