using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>
/// Parameters in bfloat16 and int8, in every order of memory: every operation that takes them computes what it does with the same numbers in
/// single precision.
/// </summary>
public sealed class BFloat16ParameterTests
{
    /// <summary>Where a parameter's matrices lie.</summary>
    public enum Order
    {
        /// <summary>One after the other.</summary>
        Dense,

        /// <summary>Transposed, one after the other.</summary>
        Transposed,

        /// <summary>Transposed, each elsewhere, with something between the rows.</summary>
        Apart,

        /// <summary>As they are, each elsewhere, with something between the rows.</summary>
        DenseApart,

        /// <summary>In int8, transposed.</summary>
        Int8,

        /// <summary>In int8, as they are.</summary>
        DenseInt8,
    }

    public static TheoryData<int, Order> Cases
    {
        get
        {
            var cases = new TheoryData<int, Order>();
            foreach (var bits in new[] { 128, 256, 512 })
                foreach (var order in Enum.GetValues<Order>())
                    cases.Add(bits, order);
            return cases;
        }
    }

    public static TheoryData<Order> Orders => [.. Enum.GetValues<Order>()];

    [Theory]
    [MemberData(nameof(Cases))]
    public void LinearIsThatOfTheSameNumbersInSinglePrecision(int bits, Order order)
    {
        using var engine = new ManagedEngine(2, Create(bits));
        foreach (var (inputs, outputs) in new[] { (1, 1), (7, 64), (70, 33), (600, 130), (513, 96) })
        {
            var (rounded, single) = Both(engine, [inputs, outputs], order);
            foreach (var rows in new[] { 1, 2, 3, 4, 7, 12, 13, 16, 17, 40, 150 })
            {
                var x = TestNumbers.Normal(rows, rows * inputs);
                AssertEqual(Run(engine, single), Run(engine, rounded));

                float[] Run(Engine on, Parameter weight)
                {
                    using var tape = on.BeginTape(training: false);
                    return tape.Linear(tape.Constant(x, rows, inputs), weight).ToArray();
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ExpertsAreThoseOfTheSameNumbersInSinglePrecision(int bits, Order order)
    {
        using var engine = new ManagedEngine(2, Create(bits));
        (int, int, int, bool)[] cases = [(40, 600, 1, true), (40, 600, 3, true), (40, 600, 100, true), (530, 70, 100, false), (31, 33, 40, true)];
        foreach (var (width, hidden, tokens, isGated) in cases)
        {
            var model = new ExpertCase(engine, width, hidden, isGated, order);
            AssertEqual(model.Run(engine, tokens, training: false, rounded: false), model.Run(engine, tokens, training: false, rounded: true));
            AssertEqual(model.Run(engine, tokens, training: true, rounded: false), model.Run(engine, tokens, training: true, rounded: true));
        }
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public void EmbeddingsAndRouterLogitsAreThoseOfTheSameNumbersInSinglePrecision(Order order)
    {
        using var engine = new ManagedEngine(2);
        foreach (var width in new[] { 1, 37, 1100 })
        {
            var (rounded, single) = Both(engine, [50, width], order);
            var indices = TestNumbers.Indices(3, 70, 50);
            var weights = TestNumbers.Normal(4, 70);
            var x = TestNumbers.Normal(5, 9 * 50);
            AssertEqual(Run(single), Run(rounded));

            float[] Run(Parameter table)
            {
                using var tape = engine.BeginTape(training: false);
                var bags = new RaggedIndices([0, 20, 20, 70], indices, weights);
                return
                [
                    .. tape.Embedding(table, indices).ToArray(),
                    .. tape.EmbeddingBag(table, bags).ToArray(),
                    .. tape.RouterLogits(tape.Constant(x, 9, 50), table).ToArray(),
                    .. tape.MultiplyTransposed(tape.Constant(TestNumbers.Normal(6, 20 * width), 20, width), table).ToArray(),
                    .. tape.MultiplyTransposed(tape.Constant(TestNumbers.Normal(7, 2 * width), 2, width), table).ToArray(),
                ];
            }
        }
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public void PartsAreThoseOfTheSameNumbersInSinglePrecision(Order order)
    {
        using var engine = new ManagedEngine(1);
        foreach (var shape in new int[][] { [3, 40, 21], [37, 1], [1, 37] })
        {
            var (rounded, single) = Both(engine, shape, order);
            var expected = single.Value.ToArray();
            Assert.Equal(expected, rounded.Value.ToArray());
            // within a row, over the ends of rows and of matrices, and nothing
            foreach (var first in new[] { 0, 1, 20, 21, 36, 37, 839, 840, 845, 1700, expected.Length })
            {
                foreach (var count in new[] { 0, 1, 5, 21, 63, 500, 1000, expected.Length - first })
                {
                    if (count < 0 || first + count > expected.Length)
                        continue;
                    var part = new float[count];
                    rounded.Value.CopyTo(first, part);
                    Assert.Equal(expected.AsSpan(first, count).ToArray(), part);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public void AnEngineThatHasNoneTakesTheirNumbersInSinglePrecision(Order order)
    {
        using var engine = new ManagedEngine(1);
        using var other = new OtherEngine();
        foreach (var shape in new int[][] { [3, 40, 21], [37, 5] })
        {
            var (rounded, _) = Both(engine, shape, order);
            var parameter = other.CreateParameter("rounded", shape, ((ManagedTensor)rounded.Value).Stored!);
            Assert.Equal(ElementType.Float32, parameter.Value.ElementType);
            Assert.Equal(rounded.Value.ToArray(), parameter.Value.ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public void ResultsAreTheSameForEveryNumberOfThreads(Order order)
    {
        float[]? expected = null;
        foreach (var threads in new[] { 1, 2, 5 })
        {
            using var engine = new ManagedEngine(threads, Kernels.Create(), smallestWork: 1);
            var experts = new ExpertCase(engine, width: 300, hidden: 530, isGated: true, order);
            var (weight, _) = Both(engine, [300, 96], order);
            using var tape = engine.BeginTape(training: false);
            var linear = tape.Linear(tape.Constant(TestNumbers.Normal(8, 37 * 300), 37, 300), weight).ToArray();
            float[] actual =
            [
                .. linear,
                .. tape.Linear(tape.Constant(TestNumbers.Normal(9, 300), 1, 300), weight).ToArray(),
                .. experts.Run(engine, 60, training: false, rounded: true),
                .. experts.Run(engine, 2, training: false, rounded: true),
            ];
            Assert.Equal(expected ??= actual, actual);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void GradientsFlowThroughToTheInputs(int bits, Order order)
    {
        using var engine = new ManagedEngine(2, Create(bits));
        var (rounded, single) = Both(engine, [70, 35], order);
        single.IsFrozen = true;
        var x = engine.CreateParameter("x", [20, 70], TestNumbers.Normal(1, 20 * 70));
        var experts = new ExpertCase(engine, width: 35, hidden: 90, isGated: true, order);

        var expected = Gradient(single, false);
        var actual = Gradient(rounded, true);

        Assert.Contains(expected, g => Math.Abs(g) > 1e-4);
        AssertEqual(expected, actual);

        float[] Gradient(Parameter weight, bool isRounded)
        {
            x.IsFrozen = true;
            x.IsFrozen = false;
            using var tape = engine.BeginTape(training: true);
            var y = experts.On(tape, tape.Linear(x, weight, activation: Activation.GeluTanh), isRounded);
            var loss = tape.CrossEntropy(y, new int[20], []);
            tape.Backward(loss);
            var gradient = new float[x.Value.Length];
            x.Value.CopyGradientTo(gradient);
            return gradient;
        }
    }

    [Fact]
    public void TwoBytesAValueAreTakenAndNoMoreForProducts()
    {
        const int Width = 4096;
        using var engine = new ManagedEngine(1);
        var bits = new ushort[Width * Width];
        var x = new float[40 * Width];
        var before = GC.GetAllocatedBytesForCurrentThread();
        var values = BFloat16Values.Copy(bits);
        var weight = engine.CreateParameter("w", [Width, Width], values);
        foreach (var rows in new[] { 1, 4, 40 })
        {
            using var tape = engine.BeginTape(training: false);
            tape.Linear(tape.Constant(x.AsSpan(0, rows * Width), rows, Width), weight);
        }

        var taken = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(values.OwnedBytes, 2L * bits.Length, 2L * bits.Length + 64);
        Assert.InRange(values.OwnedBytes + engine.PeakMemory ?? 0, 1, (long)(1.1 * 2 * bits.Length));
        Assert.InRange(taken, 1, (long)(1.1 * 2 * bits.Length));
        Assert.Equal(0, engine.PackedWeights);
    }

    [Theory]
    [InlineData(Order.Transposed)]
    [InlineData(Order.Apart)]
    [InlineData(Order.Int8)]
    public void ProductsWithMatricesWhereTheyLieTakeNoCopyOfThem(Order order)
    {
        const int Width = 2048;
        using var engine = new ManagedEngine(1);
        var weight = engine.CreateParameter("w", [Width, Width], Stored(engine, [Width, Width], order, new ushort[Width * Width]));
        var experts = engine.CreateParameter("e", [4, Width, Width / 4], Stored(engine, [4, Width, Width / 4], order, new ushort[Width * Width]));
        var back = engine.CreateParameter("b", [4, Width / 4, Width], Stored(engine, [4, Width / 4, Width], order, new ushort[Width * Width]));
        var x = new float[40 * Width];
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var rows in new[] { 1, 4, 40 })
        {
            using var tape = engine.BeginTape(training: false);
            var xTD = tape.Constant(x.AsSpan(0, rows * Width), rows, Width);
            var logits = tape.Constant(new float[rows * 4], rows, 4);
            var plan = tape.Route(logits, new TokenChoice(2, normalizeWeights: true), new SequenceLayout([0, rows]));
            tape.Linear(xTD, weight);
            tape.MultiplyTransposed(xTD, weight);
            tape.GroupedExperts(xTD, tape.CombineWeights(logits, plan), plan, new Experts(experts, null, back, null, Activation.Silu));
        }

        // a copy of one of the three in single precision would be twice this
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, sizeof(float) * Width * Width / 2);
        Assert.Equal(0, engine.PackedWeights);
    }

    [Fact]
    public void AParameterInBFloat16IsFrozenAndSaysHowToTrainIt()
    {
        using var engine = new ManagedEngine(1);
        var (rounded, single) = Both(engine, [4, 6], Order.Dense);

        Assert.Equal(ElementType.BFloat16, rounded.Value.ElementType);
        Assert.Equal(ElementType.Float32, single.Value.ElementType);
        Assert.True(rounded.IsFrozen);
        rounded.IsFrozen = true;
        var error = Assert.Throws<InvalidOperationException>(() => rounded.IsFrozen = false);
        Assert.Contains("'rounded'", error.Message, StringComparison.Ordinal);
        Assert.Contains("load it as float32", error.Message, StringComparison.Ordinal);
        Assert.Equal(single.Value.ToArray(), rounded.Value.ToArray());
        Assert.Throws<InvalidOperationException>(() => rounded.Value.CopyFrom(new float[24]));
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("short", [4, 7], BFloat16Values.Copy(new ushort[24])));
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("vector", [24], BFloat16Values.Copy(new ushort[24])));
        Assert.Same(rounded, engine.InPrecision(rounded, InferencePrecision.BFloat16));
        using var optimizer = engine.CreateAdamW([new ParameterGroup([rounded, single], LearningRate: 0.1f, WeightDecay: 0.1f)]);
        optimizer.Step(1f);
        Assert.Equal(ElementType.BFloat16, rounded.Value.ElementType);
    }

    [Fact]
    public void AnOperationThatNeedsSinglePrecisionSaysSo()
    {
        using var engine = new ManagedEngine(1);
        var (rounded, _) = Both(engine, [4, 6], Order.Dense);
        using var tape = engine.BeginTape(training: false);

        var error = Assert.Throws<InvalidOperationException>(() => tape.Softmax(rounded));

        Assert.Contains("load it as float32", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public void ValuesComeOutInTheOrderOfTheShape(Order order)
    {
        using var engine = new ManagedEngine(2);
        int[] shape = [3, 19, 35];
        var expected = new ushort[3 * 19 * 35];
        BFloat16.Round(TestNumbers.Normal(7, expected.Length), expected);
        var (rounded, single) = Both(engine, shape, order);

        Assert.Equal(single.Value.ToArray(), rounded.Value.ToArray());
        Assert.Equal(shape, rounded.Value.Shape.ToArray());
        if (order is Order.Int8 or Order.DenseInt8)
            Assert.Throws<InvalidOperationException>(() => rounded.Value.ToBFloat16Array());
        else
            Assert.Equal(expected, rounded.Value.ToBFloat16Array());
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("w", [3, 35, 19], Stored(engine, shape, Order.Apart, expected)));
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("w", [2, 19, 35], Stored(engine, shape, Order.Apart, expected)));
    }

    [Fact]
    public void Int8IsWithinHalfAScaleOfEachOutput()
    {
        using var engine = new ManagedEngine(2);
        const int Rows = 70;
        const int Columns = 45;
        var values = TestNumbers.Normal(3, Rows * Columns);
        for (var row = 0; row < Rows; row++)
        {
            values[row * Columns + 7] = 0f;
            values[row * Columns + 9] *= 1e6f;
        }

        var stored = StoredMatrices.Int8(engine, [Rows, Columns], isTransposed: true, (column, target) =>
        {
            for (var row = 0; row < Rows; row++)
                target[row] = values[row * Columns + column];
        });
        var parameter = engine.CreateParameter("w", [Rows, Columns], stored);

        var actual = parameter.Value.ToArray();
        Assert.Equal(ElementType.Int8, parameter.Value.ElementType);
        Assert.True(parameter.IsFrozen);
        Assert.InRange(stored.OwnedBytes, Rows * Columns, Rows * Columns + 4 * Columns + 200);
        for (var column = 0; column < Columns; column++)
        {
            var largest = Enumerable.Range(0, Rows).Max(row => Math.Abs(values[row * Columns + column]));
            for (var row = 0; row < Rows; row++)
                Assert.InRange(Math.Abs(actual[row * Columns + column] - values[row * Columns + column]), 0, 0.5001f * largest / 127);
        }
    }

    [Fact]
    public void RoundingAndWideningAreThoseOfTheFormat()
    {
        var bits = Enumerable.Range(0, 1 << 16).Select(b => (ushort)b).ToArray();
        var values = new float[bits.Length];
        BFloat16.Widen(bits, values);
        for (var i = 0; i < bits.Length; i++)
            Assert.Equal((uint)i << 16, BitConverter.SingleToUInt32Bits(values[i]));

        var back = new ushort[bits.Length];
        BFloat16.Round(values, back);
        for (var i = 0; i < bits.Length; i++)
            Assert.Equal(float.IsNaN(values[i]) ? (ushort)(i | 0x40) : i, back[i]);

        // one bit more than the format has: of two equally near the even one; then a little more and less
        float[] between = [1 + 1f / 256, 1 + 3f / 256, 1 + 1.001f / 256, 1 + 2.999f / 256, -1 - 1f / 256, float.MaxValue];
        Assert.Equal([0x3F80, 0x3F82, 0x3F81, 0x3F81, 0xBF80, 0x7F80], [.. between.Select(x =>
        {
            var one = new ushort[1];
            BFloat16.Round([x], one);
            return (int)one[0];
        })]);
    }

    /// <summary>A parameter in bfloat16 and one with the same numbers in single precision.</summary>
    private static (Parameter Rounded, Parameter Single) Both(Engine engine, int[] shape, Order order, int seed = 7)
    {
        var bits = new ushort[TestNumbers.Product(shape)];
        BFloat16.Round(TestNumbers.Normal(seed, bits.Length), bits);
        var values = new float[bits.Length];
        BFloat16.Widen(bits, values);
        var stored = order == Order.Dense ? StoredMatrices.Of(BFloat16Values.Copy(bits), shape) : Stored(engine, shape, order, bits);
        var rounded = engine.CreateParameter("rounded", shape, stored);
        if (order is Order.Int8 or Order.DenseInt8)
            values = rounded.Value.ToArray();
        return (rounded, engine.CreateParameter("single", shape, values));
    }

    private static StoredMatrices Stored(Engine engine, int[] shape, Order order, ushort[] bits)
    {
        var (rows, columns) = (shape[^2], shape[^1]);
        if (order == Order.Int8)
            return StoredMatrices.Int8(engine, shape, isTransposed: true, Stored(engine, shape, Order.Transposed, bits).ReadMemoryRow);
        if (order == Order.DenseInt8)
            return StoredMatrices.Int8(engine, shape, isTransposed: false, StoredMatrices.Of(BFloat16Values.Copy(bits), shape).ReadMemoryRow);
        var isTransposed = order != Order.DenseApart;
        var stride = (isTransposed ? rows : columns) + (order == Order.Transposed ? 0 : 3);
        var matrices = new List<(BFloat16Values, long)>();
        for (var first = 0; first < bits.Length; first += rows * columns)
        {
            // what is between is no number
            var memory = Enumerable.Repeat((ushort)0x7FC0, 5 + stride * (isTransposed ? columns : rows)).ToArray();
            for (var i = 0; i < rows * columns; i++)
                memory[5 + (isTransposed ? i % columns * stride + i / columns : i / columns * stride + i % columns)] = bits[first + i];
            matrices.Add((BFloat16Values.Copy(memory), 5));
        }

        return StoredMatrices.Of(rows, columns, isTransposed, stride, matrices);
    }

    private static void AssertEqual(float[] expected, float[] actual)
    {
        var scale = expected.Max(Math.Abs);
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.InRange(Math.Abs(expected[i] - actual[i]), 0, 2e-6f * scale);
    }

    private static Kernels Create(int bits) => bits switch
    {
        128 => new Kernels<Simd128, Vector128<float>>(),
        256 => new Kernels<Simd256, Vector256<float>>(),
        _ => new Kernels<Simd512, Vector512<float>>(),
    };

    /// <summary>Four experts, of which some get all tokens, some a few and one none.</summary>
    private sealed class ExpertCase(Engine engine, int width, int hidden, bool isGated, Order order)
    {
        private const int Count = 4;
        private readonly (Parameter Rounded, Parameter Single) _w1 = Both(engine, [Count, width, hidden], order, 1);
        private readonly (Parameter Rounded, Parameter Single) _w2 = Both(engine, [Count, hidden, width], order, 2);
        private readonly (Parameter Rounded, Parameter Single) _gate = Both(engine, [Count, width, hidden], order, 3);
        private readonly Parameter _b1 = engine.CreateParameter("b1", [Count, hidden], TestNumbers.Normal(4, Count * hidden));

        public float[] Run(Engine on, int tokens, bool training, bool rounded)
        {
            using var tape = on.BeginTape(training);
            return On(tape, tape.Constant(TestNumbers.Normal(6, tokens * width), tokens, width), rounded).ToArray();
        }

        public Tensor On(Tape tape, Tensor x, bool rounded)
        {
            var experts = new Experts(Of(_w1), _b1, Of(_w2), null, Activation.Silu, isGated ? Of(_gate).Value : null);
            var tokens = x.Shape[0];
            var logits = tape.Constant(
                [.. Enumerable.Range(0, tokens).SelectMany(t => new[] { 2f, t % 9 == 0 ? 1f : -1f, 0f, -2f })], tokens, Count);
            var layout = new SequenceLayout([0, tokens]);
            var plan = tape.Route(logits, new TokenChoice(2, normalizeWeights: true), layout);
            return tape.GroupedExperts(x, tape.CombineWeights(logits, plan), plan, experts);

            Parameter Of((Parameter Rounded, Parameter Single) pair) => rounded ? pair.Rounded : pair.Single;
        }
    }
}
