using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Lifetimes and misuse, the same for every engine.</summary>
public abstract class EngineTests
{
    protected abstract Engine CreateEngine();

    [SkippableFact]
    public void ParameterKeepsItsValues()
    {
        using var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [2, 3], [1, 2, 3, 4, 5, 6]);
        Assert.Equal("w", parameter.Name);
        Assert.True(parameter.Value.RequiresGradient);
        Assert.Equal([1f, 2, 3, 4, 5, 6], parameter.Value.ToArray());
        parameter.Value.CopyFrom([6, 5, 4, 3, 2, 1]);
        Assert.Equal([6f, 5, 4, 3, 2, 1], parameter.Value.ToArray());
        var gradient = new float[6];
        parameter.Value.CopyGradientTo(gradient);
        Assert.Equal(new float[6], gradient);
        Assert.Throws<ArgumentException>(() => parameter.Value.CopyFrom([1]));
        Assert.Throws<ArgumentException>(() => parameter.Value.CopyTo(new float[5]));
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("w", [2, 3], [1, 2]));
        Assert.Throws<ArgumentException>(() => engine.CreateParameter("w", [6], [1, 2, 3, 4, 5, 6], sparseRows: true));
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public void ForEachRunsEveryItemOnce(int items)
    {
        using var engine = CreateEngine();
        var runs = new int[items];
        engine.ForEach(items, item => Interlocked.Increment(ref runs[item]));
        Assert.All(runs, count => Assert.Equal(1, count));
    }

    [SkippableFact]
    public void ForEachFailsOnTheCallersThreadAsALoopWould()
    {
        using var engine = CreateEngine();
        for (var round = 0; round < 100; round++)
        {
            var error = Assert.Throws<InvalidDataException>(() => engine.ForEach(64, item =>
            {
                // those after it fail sooner
                if (item == 9)
                    Thread.SpinWait(1000);
                if (item >= 9)
                    throw new InvalidDataException($"item {item}");
            }));
            Assert.Equal("item 9", error.Message);
        }

        engine.ForEach(2, item => Assert.InRange(item, 0, 1));
    }

    [SkippableFact]
    public void ForEachMayRunOnSeveralThreadsAndWithinItself()
    {
        using var engine = CreateEngine();
        var sum = 0;
        Parallel.For(0, 4, _ => engine.ForEach(50, item => engine.ForEach(3, inner => Interlocked.Add(ref sum, item * inner))));
        Assert.Equal(4 * 1225 * 3, sum);
    }

    [SkippableFact]
    public void GradientsOfResultsAreNotKept()
    {
        using var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [1], [3]);
        using var tape = engine.BeginTape(training: true);
        var y = tape.Scale(parameter, 2f);
        Assert.Throws<NotSupportedException>(() => y.CopyGradientTo(new float[1]));
    }

    [SkippableFact]
    public void FrozenParameterHasNoGradientButLetsGradientsThrough()
    {
        using var engine = CreateEngine();
        var x = engine.CreateParameter("x", [1, 2], [1, 2]);
        var w = engine.CreateParameter("w", [2, 1], [3, 4]);
        Assert.False(w.IsFrozen);
        w.IsFrozen = true;
        Assert.True(w.IsFrozen);
        Assert.False(w.Value.RequiresGradient);
        Backward();
        Assert.Equal([3f, 4], Gradient(x));
        Assert.Equal([0f, 0], Gradient(w));

        w.IsFrozen = false;
        Backward();
        Assert.Equal([6f, 8], Gradient(x));
        Assert.Equal([1f, 2], Gradient(w));
        w.IsFrozen = true;
        Assert.Equal([0f, 0], Gradient(w));

        void Backward()
        {
            using var tape = engine.BeginTape(training: true);
            tape.Backward(tape.Linear(x, w));
        }

        static float[] Gradient(Parameter parameter)
        {
            var gradient = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(gradient);
            return gradient;
        }
    }

    [SkippableFact]
    public void AllFrozenLeaveNothingToGoBackwardTo()
    {
        using var engine = CreateEngine();
        var table = engine.CreateParameter("table", [3, 2], [1, 2, 3, 4, 5, 6], sparseRows: true);
        var w = engine.CreateParameter("w", [2, 1], [3, 4]);
        table.IsFrozen = w.IsFrozen = true;
        using var tape = engine.BeginTape(training: true);
        var loss = tape.Linear(tape.Embedding(table, [1]), w);
        Assert.False(loss.RequiresGradient);
        tape.Backward(loss);
        var gradient = new float[6];
        table.Value.CopyGradientTo(gradient);
        Assert.Equal(new float[6], gradient);
    }

    [SkippableFact]
    public void DisposedEngineRaises()
    {
        var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [1, 1], [1]);
        var tape = engine.BeginTape(training: false);
        var y = tape.Linear(parameter, parameter);
        var optimizer = engine.CreateAdamW([new ParameterGroup([parameter], 0.1f)]);
        engine.Dispose();
        engine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => engine.CreateParameter("w", [1], [1]));
        Assert.Throws<ObjectDisposedException>(() => engine.BeginTape(training: true));
        Assert.Throws<ObjectDisposedException>(() => engine.CreateAdamW([]));
        Assert.Throws<ObjectDisposedException>(() => parameter.Value.ToArray());
        Assert.Throws<ObjectDisposedException>(() => y.ToArray());
        Assert.Throws<ObjectDisposedException>(() => tape.Add(y, y));
        Assert.Throws<ObjectDisposedException>(() => optimizer.Step(1f));
        tape.Dispose();
        optimizer.Dispose();
    }

    [SkippableFact]
    public void DisposedTapeRaises()
    {
        using var engine = CreateEngine();
        var tape = engine.BeginTape(training: true);
        var x = tape.Constant([1, 2], 2);
        tape.Dispose();
        tape.Dispose();
        Assert.Throws<ObjectDisposedException>(() => x.ToArray());
        Assert.Throws<ObjectDisposedException>(() => tape.Constant([1], 1));
        Assert.Throws<ObjectDisposedException>(() => tape.Backward(x));
    }

    [SkippableFact]
    public void AValueCanBeReadAfterItsTapeIsGone()
    {
        using var engine = CreateEngine();
        var x = engine.CreateParameter("x", [1, 2], [3, 4]);
        LaterValue read;
        using (var tape = engine.BeginTape(training: true))
        {
            var y = tape.Linear(x, tape.Constant([10, 1], 2, 1));
            tape.Backward(y);
            read = y.ReadLater();
            Assert.Throws<InvalidOperationException>(() => x.Value.ReadLater());
        }

        x.Value.CopyFrom([0, 0]);
        using (var next = engine.BeginTape(training: true))
            next.Linear(x, next.Constant([10, 1], 2, 1));
        Assert.Equal(34f, read.Read());
    }

    [SkippableFact]
    public void TensorsOfAnotherTapeOrEngineAreRejected()
    {
        using var engine = CreateEngine();
        using var other = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        using var otherTape = engine.BeginTape(training: false);
        var x = otherTape.Constant([1], 1);
        Assert.Throws<ArgumentException>(() => tape.Scale(x, 2f));
        Assert.Throws<ArgumentException>(() => tape.Scale(other.CreateParameter("w", [1], [1]), 2f));
        Assert.Throws<ArgumentNullException>(() => tape.Scale(null!, 2f));
    }

    [SkippableFact]
    public void BackwardNeedsATrainingTapeAndOneElementAndRunsOnce()
    {
        using var engine = CreateEngine();
        var w = engine.CreateParameter("w", [1, 1], [2]);
        using (var inference = engine.BeginTape(training: false))
            Assert.Throws<InvalidOperationException>(() => inference.Backward(inference.Linear(w, w)));
        using var tape = engine.BeginTape(training: true);
        Assert.Throws<ArgumentException>(() => tape.Backward(tape.Constant([1, 2], 2)));
        Assert.Throws<ArgumentException>(() => tape.Backward(w));
        var loss = tape.Linear(w, w);
        tape.Backward(loss);
        Assert.Throws<InvalidOperationException>(() => tape.Backward(loss));
        var gradient = new float[1];
        w.Value.CopyGradientTo(gradient);
        Assert.Equal(4f, gradient[0]);
    }

    [SkippableFact]
    public void LossOfConstantsGoesNowhere()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: true);
        tape.Backward(tape.Scale(tape.Constant([3], 1), 2f));
    }

    [SkippableFact]
    public void ManyThreadsPredictTheSame()
    {
        using var engine = CreateEngine();
        var w = engine.CreateParameter("w", [96, 96], TestNumbers.Normal(1, 96 * 96, 0.1f));
        var x = TestNumbers.Normal(2, 200 * 96);
        float[] Predict()
        {
            using var tape = engine.BeginTape(training: false);
            var h = tape.Constant(x, 200, 96);
            for (var i = 0; i < 5; i++)
                h = tape.Linear(h, w, null, Activation.GeluTanh);
            return tape.Softmax(h).ToArray();
        }

        var expected = Predict();
        Parallel.For(0, 40, new ParallelOptions { MaxDegreeOfParallelism = 5 }, _ => Assert.Equal(expected, Predict()));
    }
}
