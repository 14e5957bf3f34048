using System.Runtime.CompilerServices;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The managed engine.</summary>
public sealed class ManagedEngineTests : EngineTests
{
    protected override Engine CreateEngine() => new ManagedEngine(threads: 2);

    [Fact]
    public void DescribesItself()
    {
        using var one = new ManagedEngine(1);
        using var three = new ManagedEngine(3);
        Assert.StartsWith("managed, 1 thread, ", one.Description, StringComparison.Ordinal);
        Assert.StartsWith("managed, 3 threads, ", three.Description, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ManagedEngine(0));
    }

    [Fact]
    public void DisposedTapeRaisesAlsoWhenAnotherUsesItsMemory()
    {
        using var engine = new ManagedEngine(1);
        var w = engine.CreateParameter("w", [1, 1], [2]);
        var tape = engine.BeginTape(training: true);
        var y = tape.Linear(w, w);
        tape.Dispose();
        using var next = engine.BeginTape(training: true);
        var z = next.Constant([7], 1, 1);
        tape.Dispose();

        Assert.Throws<ObjectDisposedException>(() => y.ToArray());
        Assert.Throws<ObjectDisposedException>(() => tape.Linear(w, w));
        Assert.Throws<ObjectDisposedException>(() => tape.Backward(y));
        Assert.Throws<ArgumentException>(() => next.Add(y, z));
        Assert.Equal([7f], z.ToArray());
    }

    [Fact]
    public void LeasedTapesComputeWhatOthersDoWhateverTheTapeBeforeWas()
    {
        using var engine = new ManagedEngine(2);
        var w = engine.CreateParameter("w", [8, 8], TestNumbers.Normal(1, 64));
        var router = engine.CreateParameter("router", [8, 3], TestNumbers.Normal(2, 24));
        Parameter[] stacked =
        [
            engine.CreateParameter("w1", [3, 8, 4], TestNumbers.Normal(3, 96, 0.3f)),
            engine.CreateParameter("w2", [3, 4, 8], TestNumbers.Normal(4, 96, 0.3f)),
        ];
        using var optimizer = engine.CreateAdamW([new ParameterGroup([w, router, .. stacked], 0.1f)]);
        RoutingPolicy[] policies = [new TokenChoice(2, true), new Unified(1.5), new GlobalWorkspace(new ExpertChoice(1), 0.9)];
        for (var step = 0; step < 12; step++)
        {
            var layout = new SequenceLayout([0, 1 + step * 7 % 5, 9 + step * 5 % 11]);
            float[] Run(Tape begun, bool passes)
            {
                using var tape = begun;
                var x = tape.Dropout(tape.Linear(tape.Constant(TestNumbers.Normal(step, layout.Tokens * 8), layout.Tokens, 8), w), 0.2f);
                var logits = tape.RouterLogits(x, router);
                var plan = tape.Route(logits, policies[step % 3], layout);
                var experts = new Experts(stacked[0], null, stacked[1], null, Activation.Tanh);
                var y = tape.GroupedExperts(x, tape.CombineWeights(logits, plan), plan, experts);
                var values = tape.Concat(tape.MaxPool(y, layout), tape.MeanPool(tape.Add(x, y), layout));
                if (passes)
                    tape.Backward(GradientCheck.Readout(tape, values));
                var gradient = new float[64];
                w.Value.CopyGradientTo(gradient);
                optimizer.ClearGradients();
                return [.. values.ToArray(), .. gradient];
            }

            var passes = step % 4 != 3;
            var expected = Run(engine.BeginTape(training: true, seed: 7), passes);
            Assert.Equal(expected, Run(engine.LeaseTape(training: true, seed: 7), passes));
        }
    }

    [Fact]
    public void TensorOfALeasedTapeRaisesUntilTheTapeIsLeasedAgain()
    {
        using var engine = new ManagedEngine(1);
        Tensor x;
        using (var tape = engine.LeaseTape(training: false))
            x = tape.Constant([1, 2], 2);

        Assert.Throws<ObjectDisposedException>(() => x.ToArray());
        using var own = engine.BeginTape(training: false);
        Assert.NotSame(x, own.Constant([3], 1));
        Assert.Throws<ObjectDisposedException>(() => x.ToArray());
        using var first = engine.LeaseTape(training: false);
        using var second = engine.LeaseTape(training: false);
        Assert.NotSame(first, second);
        Assert.Equal([3f], first.Constant([3], 1).ToArray());
    }

    [Fact]
    public void MemoryIsReusedFromTapeToTape()
    {
        using var engine = new ManagedEngine(1);
        var w = engine.CreateParameter("w", [64, 64], TestNumbers.Normal(1, 64 * 64, 0.1f));
        var x = TestNumbers.Normal(2, 3000 * 64);
        void Step(int rows)
        {
            using var tape = engine.BeginTape(training: true);
            var h = tape.Constant(x.AsSpan(0, rows * 64), rows, 64);
            for (var i = 0; i < 10; i++)
                h = tape.Linear(h, w, null, Activation.GeluTanh);
            tape.Backward(GradientCheck.Readout(tape, h));
        }

        Step(3000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            Step(100 + 140 * i);

        // Handles only: the tensors themselves are about 10 MB a step.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20 * 10_000);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(24)]
    [InlineData(25)]
    [InlineData(70)]
    public void RowsDoNotDependOnTheirBatch(int rows)
    {
        // Few rows take another path through the matrix product than many; a prediction must not show it, not even in the last bit.
        using var engine = new ManagedEngine(2);
        const int Inputs = 300;
        const int Outputs = 70;
        var w = engine.CreateParameter("w", [Inputs, Outputs], TestNumbers.Normal(1, Inputs * Outputs, 0.1f));
        var x = TestNumbers.Normal(2, 400 * Inputs);
        using var tape = engine.BeginTape(training: false);
        var all = tape.Linear(tape.Constant(x, 400, Inputs), w, null, Activation.GeluTanh).ToArray();
        var few = tape.Linear(tape.Constant(x.AsSpan(0, rows * Inputs), rows, Inputs), w, null, Activation.GeluTanh).ToArray();
        Assert.Equal(all.AsSpan(0, rows * Outputs), few.AsSpan());
    }

    [Fact]
    public void UndisposedTapesAreCollected()
    {
        using var engine = new ManagedEngine(1);
        var w = engine.CreateParameter("w", [64, 64], TestNumbers.Normal(1, 64 * 64, 0.1f));
        var x = TestNumbers.Normal(2, 3000 * 64);
        WeakReference[] tapes = [.. Enumerable.Range(0, 20).Select(_ => Forget(engine, w, x))];

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        // the stack may still hold the last
        Assert.InRange(tapes.Count(tape => tape.IsAlive), 0, 1);
        GC.KeepAlive(engine);
    }

    // a method of its own, so that nothing on the caller's stack keeps a tape
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Forget(ManagedEngine engine, Parameter w, float[] x)
    {
        var tape = engine.BeginTape(training: true);
        tape.Linear(tape.Constant(x, 3000, 64), w);
        return new WeakReference(tape, trackResurrection: true);
    }
}
