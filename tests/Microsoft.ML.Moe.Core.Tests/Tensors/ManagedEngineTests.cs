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
                h = tape.Linear(h, w, null, Activation.Gelu);
            tape.Backward(GradientCheck.Readout(tape, h));
        }

        Step(3000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            Step(100 + 140 * i);

        // Handles and closures only: the tensors themselves are about 10 MB a step.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20 * 100_000);
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
        var all = tape.Linear(tape.Constant(x, 400, Inputs), w, null, Activation.Gelu).ToArray();
        var few = tape.Linear(tape.Constant(x.AsSpan(0, rows * Inputs), rows, Inputs), w, null, Activation.Gelu).ToArray();
        Assert.Equal(all.AsSpan(0, rows * Outputs), few.AsSpan());
    }

    [Fact]
    public void UndisposedTapesAreCollected()
    {
        using var engine = new ManagedEngine(1);
        var w = engine.CreateParameter("w", [64, 64], TestNumbers.Normal(1, 64 * 64, 0.1f));
        var x = TestNumbers.Normal(2, 3000 * 64);
        void Forget()
        {
            var tape = engine.BeginTape(training: true);
            tape.Linear(tape.Constant(x, 3000, 64), w);
        }

        for (var i = 0; i < 200; i++)
            Forget();

        // 200 tapes took about 3 MB each; what a full collection leaves is one tape's at most.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true), 0, 200_000_000);
    }
}
