using System.Globalization;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The managed engine computes the same bits with any number of threads.</summary>
public sealed class ThreadTests
{
    private const int Tokens = 301;
    private const int Width = 72;

    private static readonly SequenceLayout _layout = Layout();

    public static TheoryData<string> Operations => [.. _operations.Keys];

    // Each operation on shapes large enough to be divided; p holds the parameters of Inputs().
    private static readonly Dictionary<string, Func<Tape, Tensor[], Tensor>> _operations = new()
    {
        ["Linear"] = (tape, p) => tape.Linear(p[0], p[1], p[2], Activation.GeluTanh),
        // nine images of 7 × 43 pixels in 8 channels
        ["Convolution"] = (tape, p) => tape.Convolution(tape.Reshape(p[0], 9 * Tokens, 8), p[1], p[2], new ConvolutionSpec(7, 43)),
        ["MaxPoolOfWindows"] = (tape, p) => tape.MaxPool(tape.Reshape(p[0], 9 * Tokens, 8), new ConvolutionSpec(7, 43, side: 3, stride: 2)),
        ["LayerNorm"] = (tape, p) => tape.LayerNorm(p[0], p[3], p[3]),
        ["BatchNorm"] = (tape, p) => tape.BatchNorm(
            tape.Reshape(p[0], 18 * Tokens, 4),
            tape.Constant([1f, 2f, 3f, 4f], 4),
            tape.Constant([4f, 3f, 2f, 1f], 4),
            tape.Constant(new float[4], 4),
            tape.Constant(new float[4], 4)),
        ["RmsNorm"] = (tape, p) => tape.RmsNorm(p[0], p[3]),
        ["Multiply"] = (tape, p) => tape.Multiply(p[0], tape.Scale(p[0], 0.3f)),
        ["Rotary"] = (tape, p) => tape.Rotary(p[0], TestNumbers.Indices(1, Tokens, 50), 4, RotaryFrequencies.OfTheta(16)),
        ["AddScaleConcat"] = (tape, p) => tape.Concat(tape.Add(p[0], tape.Scale(p[0], 0.3f)), p[0]),
        ["Dropout"] = (tape, p) => tape.Dropout(p[0], 0.2f),
        ["AddDropped"] = (tape, p) => tape.AddDropped(tape.Scale(p[0], 0.3f), p[0], 0.2f),
        ["Softmax"] = (tape, p) => tape.Softmax(p[0]),
        ["Embedding"] = (tape, p) => tape.Embedding(p[4], TestNumbers.Indices(1, 2000, 500)),
        ["EmbeddingBag"] = (tape, p) => tape.EmbeddingBag(p[4], Bags()),
        ["EmbeddingBagWithFactors"] = (tape, p) =>
        {
            var places = TestNumbers.Indices(2, Bags().Indices.Length, p[0].Length);
            var factors = tape.Embedding(tape.Reshape(p[0], p[0].Length, 1), places);
            return tape.EmbeddingBag(p[4], Bags(), tape.Reshape(factors, places.Length));
        },
        ["Attention"] = (tape, p) => tape.Attention(tape.Linear(p[0], p[1]), _layout, 4, 0.1f),
        ["SharedHeads"] = (tape, p) => tape.Attention(
            tape.Linear(p[0], p[1]), p[0], p[0], new AttentionSpec(12, 4) { IsCausal = true, Dropout = 0.1f }, _layout, Reversed(_layout)),
        ["AttentionBias"] = (tape, p) => tape.Attention(
            tape.Concat(p[0], p[0], p[0], p[0], p[0]),
            p[0],
            p[0],
            new AttentionSpec(5, 1) { Window = 9 },
            _layout,
            null,
            new AttentionBias(tape.Linear(p[0], p[5]), 8)),
        ["MeanPool"] = (tape, p) => tape.MeanPool(p[0], _layout),
        ["MaxPool"] = (tape, p) => tape.MaxPool(p[0], _layout),
        ["AttentionPool"] = (tape, p) => tape.AttentionPool(p[0], tape.Linear(p[0], p[5]), _layout),
        ["Experts"] = (tape, p) => Experts(tape, p, false),
        ["GatedExperts"] = (tape, p) => Experts(tape, p, true),
        ["RouterLosses"] = (tape, p) =>
        {
            var logits = tape.Linear(p[0], p[5]);
            return tape.Add(tape.LoadBalancingLoss(logits, _layout), tape.RouterZLoss(logits, _layout));
        },
        ["SquaredError"] = (tape, p) => tape.SquaredError(p[0], TestNumbers.Normal(1, Tokens * Width), []),
        ["BinaryCrossEntropy"] = (tape, p) => tape.BinaryCrossEntropy(p[0], new float[Tokens * Width], []),
        ["CrossEntropy"] = (tape, p) => tape.CrossEntropy(p[0], TestNumbers.Indices(1, Tokens, Width), [], 0.1f),
    };

    [Theory]
    [InlineData(3, 3)]
    [InlineData("1", 1)]
    [InlineData("12", 12)]
    public void ASettingSaysHowManyThreadsThereAreWhereNobodyElseDoes(object setting, int threads) => Assert.Equal(threads, DefaultThreads.Of(setting));

    [Theory]
    [InlineData(0)]
    [InlineData("0")]
    [InlineData("two")]
    [InlineData("-1")]
    [InlineData(2.5)]
    [InlineData(true)]
    public void ASettingThatIsNoNumberOfThreadsIsRefused(object setting)
    {
        var error = Assert.Throws<InvalidOperationException>(() => DefaultThreads.Of(setting));
        Assert.Contains("'Microsoft.ML.Moe.Threads'", error.Message, StringComparison.Ordinal);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"'{setting}'"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutASettingAllProcessorsAreTaken()
    {
        Assert.Equal(Environment.ProcessorCount, DefaultThreads.Of(null));
        using var engine = new ManagedEngine();
        Assert.Equal(DefaultThreads.Count, engine.Workers.Threads);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void ThreadsDoNotChangeABit(string operation)
    {
        var one = Run(operation, 1);
        Assert.Equal(one, Run(operation, 2));
        Assert.Equal(one, Run(operation, 3));
    }

    [Fact]
    public void LoopRunsEveryItemOnceWhileOthersUseThePool()
    {
        using var pool = new WorkerPool(3);
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
        {
            for (var round = 0; round < 200; round++)
            {
                var counts = new int[50];
                pool.Run(50, long.MaxValue, (item, worker) =>
                {
                    Assert.InRange(worker, 0, 2);
                    Interlocked.Increment(ref counts[item]);
                    if (item == 7)
                        pool.Run(3, long.MaxValue, (_, _) => Interlocked.Increment(ref counts[item]));
                });
                Assert.Equal(Enumerable.Range(0, 50).Select(i => i == 7 ? 4 : 1), counts);
            }
        });
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 0)]
    [InlineData(7, 1 << 12)]
    [InlineData(1000, 1 << 16)]
    [InlineData(100_003, 1 << 20)]
    public void ItemsThatAreTakenInGroupsRunOnce(int items, long work)
    {
        foreach (var threads in new[] { 2, 3, 5 })
        {
            using var pool = new WorkerPool(threads, smallestWork: 0);
            var counts = new int[items];
            for (var round = 1; round <= 20; round++)
            {
                pool.Run(items, work, (item, _) => Interlocked.Increment(ref counts[item]));
                Assert.All(counts, count => Assert.Equal(round, count));
            }
        }
    }

    [Fact]
    public void ErrorsInALoopReachTheCaller()
    {
        using var pool = new WorkerPool(2);
        for (var round = 0; round < 20; round++)
        {
            Assert.Throws<InvalidOperationException>(() => pool.Run(10, long.MaxValue, (item, _) =>
            {
                if (item == 9)
                    throw new InvalidOperationException();
            }));
        }
    }

    private static float[] Run(string operation, int threads)
    {
        using var engine = new ManagedEngine(threads, Kernels.Create(), smallestWork: 0);
        var parameters = Inputs().Select((x, i) => engine.CreateParameter($"p{i}", x.Shape, x.Values, x.SparseRows)).ToArray();
        var tensors = parameters.Select(p => p.Value).ToArray();
        using var optimizer = engine.CreateAdamW([new ParameterGroup(parameters, 0.01f, 0.1f)]);
        var bits = new List<float>();
        for (var step = 0; step < 2; step++)
        {
            using var tape = engine.BeginTape(training: true, seed: (ulong)step);
            var y = _operations[operation](tape, tensors);
            bits.AddRange(y.ToArray());
            tape.Backward(GradientCheck.Readout(tape, y));
            foreach (var tensor in tensors)
            {
                var gradient = new float[tensor.Length];
                tensor.CopyGradientTo(gradient);
                bits.AddRange(gradient);
            }

            optimizer.ClipGradients(0.1f);
            bits.Add(optimizer.GradientNorm);
            optimizer.Step(1f);
        }

        foreach (var tensor in tensors)
            bits.AddRange(tensor.ToArray());
        return [.. bits];
    }

    private static Input[] Inputs() =>
    [
        Input.Random(1, Tokens, Width),
        new Input([Width, 3 * Width], TestNumbers.Normal(2, 3 * Width * Width, 0.1f)),
        Input.Random(3, 3 * Width),
        Input.Random(4, Width),
        new Input([500, Width], TestNumbers.Normal(5, 500 * Width), SparseRows: true),
        new Input([Width, 5], TestNumbers.Normal(6, 5 * Width, 0.1f)),
        new Input([5, Width, 50], TestNumbers.Normal(7, 5 * Width * 50, 0.1f)),
        new Input([5, 50, Width], TestNumbers.Normal(8, 5 * Width * 50, 0.1f)),
        Input.Random(9, 5, 50),
        Input.Random(10, 5, Width),
        new Input([5, Width, 50], TestNumbers.Normal(11, 5 * Width * 50, 0.1f)),
    ];

    private static Tensor Experts(Tape tape, Tensor[] p, bool gated)
    {
        var plan = Plan();
        var weights = tape.CombineWeights(tape.Linear(p[0], p[5]), plan);
        return tape.GroupedExperts(p[0], weights, plan, new Experts(p[6], p[8], p[7], p[9], Activation.Silu, gated ? p[10] : null));
    }

    private static RoutingPlan Plan()
    {
        var random = new Random(5);
        var offsets = new int[6];
        var tokens = new List<int>();
        for (var expert = 0; expert < 5; expert++)
        {
            tokens.AddRange(Enumerable.Range(0, Tokens).Where(_ => random.Next(5) < expert));
            offsets[expert + 1] = tokens.Count;
        }

        return new RoutingPlan(Tokens, offsets, [.. tokens], new CombineRule(0.4f, WeightNormalization.Selected));
    }

    private static SequenceLayout Layout()
    {
        var offsets = new List<int> { 0 };
        for (var length = 1; offsets[^1] < Tokens; length = (length + 7) % 31)
            offsets.Add(Math.Min(Tokens, offsets[^1] + length));
        return new SequenceLayout([.. offsets], [.. Enumerable.Range(0, Tokens).Select(t => t % 11 != 3)]);
    }

    // The sequences in the opposite order.
    private static SequenceLayout Reversed(SequenceLayout layout) =>
        new([.. layout.Offsets.ToArray().Reverse().Select(offset => layout.Tokens - offset)]);

    private static RaggedIndices Bags()
    {
        int[] offsets = [.. Enumerable.Range(0, Tokens + 1).Select(bag => bag * 7)];
        return new RaggedIndices(offsets, TestNumbers.Indices(3, Tokens * 7, 500), TestNumbers.Normal(4, Tokens * 7));
    }
}
