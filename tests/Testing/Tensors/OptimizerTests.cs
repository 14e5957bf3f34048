using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>What every engine's optimiser must do.</summary>
public abstract partial class OptimizerTests
{
    private const float Rate = 0.01f;
    private const float Decay = 0.1f;
    private const float Beta1 = 0.8f;
    private const float Beta2 = 0.95f;
    private const float Epsilon = 1e-6f;

    protected abstract Engine CreateEngine();

    [SkippableFact]
    public void AdamWFollowsThePaper()
    {
        using var engine = CreateEngine();
        var start = TestNumbers.Normal(1, 35);
        var parameter = engine.CreateParameter("w", [5, 7], start);
        using var optimizer = engine.CreateAdamW([Group(parameter)]);
        var expected = Reference.Doubles(start);
        var m = new double[35];
        var v = new double[35];
        for (var t = 1; t <= 6; t++)
        {
            var gradient = TestNumbers.Normal(t, 35);
            var factor = t / 6f;
            AddGradient(engine, parameter, gradient);
            optimizer.Step(factor);
            for (var i = 0; i < 35; i++)
                expected[i] = ReferenceStep(expected[i], gradient[i], ref m[i], ref v[i], t, factor);
            TestNumbers.AssertClose(expected, parameter.Value.ToArray(), 2e-6);
        }
    }

    [SkippableFact]
    public void SparseRowsTakeTheirOwnSteps()
    {
        using var engine = CreateEngine();
        const int Width = 19;
        var start = TestNumbers.Normal(1, 6 * Width);
        var table = engine.CreateParameter("table", [6, Width], start, sparseRows: true);
        using var optimizer = engine.CreateAdamW([Group(table)]);
        var expected = Reference.Doubles(start);
        var m = new double[6 * Width];
        var v = new double[6 * Width];
        var steps = new int[6];
        int[][] touched = [[1, 4], [4], [], [4, 0], [1]];
        foreach (var rows in touched)
        {
            using var tape = engine.BeginTape(training: true);
            tape.Backward(GradientCheck.Readout(tape, tape.Embedding(table, rows)));
            var gradient = Gradient(table);
            optimizer.Step(1f);
            foreach (var row in rows)
            {
                steps[row]++;
                for (var i = row * Width; i < (row + 1) * Width; i++)
                    expected[i] = ReferenceStep(expected[i], gradient[i], ref m[i], ref v[i], steps[row], 1);
            }

            TestNumbers.AssertClose(expected, table.Value.ToArray(), 2e-6);
            Assert.All(Gradient(table), g => Assert.Equal(0f, g));
        }

        // Rows 2, 3 and 5 were never touched: not even decayed.
        foreach (var row in new[] { 2, 3, 5 })
            Assert.Equal(start.AsSpan(row * Width, Width), table.Value.ToArray().AsSpan(row * Width, Width));
    }

    [SkippableFact]
    public void GradientsOfSeveralTapesAddUp()
    {
        using var engine = CreateEngine();
        var dense = engine.CreateParameter("w", [4, 3], TestNumbers.Normal(1, 12));
        var table = engine.CreateParameter("table", [5, 4], TestNumbers.Normal(2, 20), sparseRows: true);
        using var optimizer = engine.CreateAdamW([Group(dense, table)]);
        float[] After(params int[][] batches)
        {
            optimizer.ClearGradients();
            foreach (var batch in batches)
            {
                using var tape = engine.BeginTape(training: true);
                tape.Backward(GradientCheck.Readout(tape, tape.Linear(tape.Embedding(table, batch), dense)));
            }

            return [.. Gradient(dense), .. Gradient(table)];
        }

        var first = After([1, 2]);
        var second = After([2, 4, 0]);
        var both = After([1, 2], [2, 4, 0]);
        TestNumbers.AssertClose(first.Zip(second, (a, b) => (double)a + b).ToArray(), both);
    }

    [SkippableFact]
    public void ClippingScalesDenseGradientsOnly()
    {
        using var engine = CreateEngine();
        var a = engine.CreateParameter("a", [2], [0, 0]);
        var b = engine.CreateParameter("b", [1], [0]);
        var table = engine.CreateParameter("table", [2, 1], [1, 1], sparseRows: true);
        using var optimizer = engine.CreateAdamW([Group(a), Group(b, table)]);
        AddGradient(engine, a, [3f, 0f]);
        AddGradient(engine, b, [4f]);
        using (var tape = engine.BeginTape(training: true))
            tape.Backward(tape.Linear(tape.EmbeddingBag(table, new RaggedIndices([0, 1], [1], [100f])), tape.Constant([1f], 1, 1)));

        // √(3² + 4²) = 5
        Assert.Equal(5f, Clip(optimizer, float.PositiveInfinity), 1e-5f);
        Assert.Equal(5f, Clip(optimizer, 10f), 1e-5f);
        TestNumbers.AssertClose([3, 0, 4, 0, 100], [.. Gradient(a), .. Gradient(b), .. Gradient(table)]);
        Assert.Equal(5f, Clip(optimizer, 1f), 1e-5f);
        TestNumbers.AssertClose([0.6, 0, 0.8, 0, 100], [.. Gradient(a), .. Gradient(b), .. Gradient(table)]);
        Assert.Equal(1f, Clip(optimizer, float.PositiveInfinity), 1e-5f);
        Assert.Throws<ArgumentOutOfRangeException>(() => optimizer.ClipGradients(0f));
    }

    [SkippableTheory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void NormOfNonFiniteGradientIsNotFinite(float value)
    {
        using var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [2], [0, 0]);
        using var optimizer = engine.CreateAdamW([Group(parameter)]);
        AddGradient(engine, parameter, [1f, value]);
        Assert.False(float.IsFinite(Clip(optimizer, 1f)));
        optimizer.ClearGradients();
        Assert.Equal(0f, Clip(optimizer, 1f));
        Assert.Equal([0f, 0f], Gradient(parameter));
    }

    [SkippableFact]
    public void ParametersWithoutGradientOnlyDecay()
    {
        using var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [2], [1, -2]);
        using var optimizer = engine.CreateAdamW([Group(parameter)]);
        optimizer.Step(1f);
        TestNumbers.AssertClose([1 - Rate * Decay, -2 * (1 - Rate * Decay)], parameter.Value.ToArray(), 1e-6);
    }

    [SkippableFact]
    public void FrozenParametersStayAsTheyAreAndBeginAnewWhenThawed()
    {
        using var engine = CreateEngine();
        float[] start = [1, -2, 3];
        var parameter = engine.CreateParameter("w", [3], start);
        var table = engine.CreateParameter("table", [2, 2], [1, 2, 3, 4], sparseRows: true);
        using var optimizer = engine.CreateAdamW([Group(parameter, table)]);
        using (var tape = engine.BeginTape(training: true))
            tape.Backward(GradientCheck.Readout(tape, tape.Embedding(table, [1])));
        parameter.IsFrozen = table.IsFrozen = true;
        for (var step = 0; step < 3; step++)
            optimizer.Step(1f);
        Assert.Equal(start, parameter.Value.ToArray());
        Assert.Equal([1f, 2, 3, 4], table.Value.ToArray());
        Assert.Equal(0f, Clip(optimizer, 1f));

        parameter.IsFrozen = false;
        AddGradient(engine, parameter, [0.5f, 0.25f, -1f]);
        optimizer.Step(1f);
        var expected = Reference.Doubles(start);
        for (var i = 0; i < 3; i++)
        {
            double m = 0, v = 0;
            expected[i] = ReferenceStep(expected[i], new[] { 0.5, 0.25, -1 }[i], ref m, ref v, 1, 1);
        }

        TestNumbers.AssertClose(expected, parameter.Value.ToArray(), 2e-6);
    }

    [SkippableFact]
    public void AnOptimizerWithAnothersStateGoesOnAsThatOneDoes()
    {
        using var engine = CreateEngine();
        var (dense, table) = (engine.CreateParameter("w", [2, 3], new float[6]), engine.CreateParameter("table", [4, 2], new float[8], sparseRows: true));
        var idle = engine.CreateParameter("idle", [2, 2], [1, 2, 3, 4], sparseRows: true);
        using var first = engine.CreateAdamW([Group(dense, table, idle)]);
        Steps(first, 1, 2, 3);
        var state = first.GetState().ToDictionary(s => s.Name);
        var (denseThen, tableThen) = (dense.Value.ToArray(), table.Value.ToArray());
        Steps(first, 4, 5);
        var (denseAfter, tableAfter) = (dense.Value.ToArray(), table.Value.ToArray());

        dense.Value.CopyFrom(denseThen);
        table.Value.CopyFrom(tableThen);
        using var second = engine.CreateAdamW([Group(dense, table, idle)]);
        second.SetState(state);
        Steps(second, 4, 5);

        Assert.Equal(denseAfter, dense.Value.ToArray());
        Assert.Equal(tableAfter, table.Value.ToArray());
        Assert.Equal([2, 3], state["w.first"].Shape);
        Assert.Equal([4, 2], state["table.second"].Shape);
        Assert.Equal([3f], state["w.steps"].Values);
        Assert.Equal([0f, 2, 1, 0], state["table.steps"].Values);
        Assert.DoesNotContain("idle.first", state.Keys);

        void Steps(Optimizer optimizer, params int[] seeds)
        {
            foreach (var seed in seeds)
            {
                AddGradient(engine, dense, TestNumbers.Normal(seed, 6));
                using (var tape = engine.BeginTape(training: true))
                    tape.Backward(GradientCheck.Readout(tape, tape.Embedding(table, [1 + (seed % 2 == 0 ? 1 : 0)])));
                optimizer.Step(1f);
            }
        }
    }

    [SkippableFact]
    public void AStateThatDoesNotFitIsRefusedAndNothingChanges()
    {
        using var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [2], [1, 2]);
        using var optimizer = engine.CreateAdamW([Group(parameter)]);
        AddGradient(engine, parameter, [1, 1]);
        optimizer.Step(1f);
        var state = optimizer.GetState().ToDictionary(s => s.Name);

        foreach (var name in state.Keys)
        {
            var damaged = new Dictionary<string, NamedValues>(state) { [name] = new NamedValues(name, [5], new float[5]) };
            Assert.Contains("'w'", Assert.Throws<ArgumentException>(() => optimizer.SetState(damaged)).Message, StringComparison.Ordinal);
            damaged.Remove(name);
            Assert.Throws<ArgumentException>(() => optimizer.SetState(damaged));
        }

        Assert.Equal(state["w.first"].Values, optimizer.GetState().Single(s => s.Name == "w.first").Values);
    }

    [SkippableFact]
    public void RejectsParametersOfTwoGroupsOrAnotherEngine()
    {
        using var engine = CreateEngine();
        using var other = CreateEngine();
        var parameter = engine.CreateParameter("w", [1], [1]);
        Assert.Throws<ArgumentException>(() => engine.CreateAdamW([Group(parameter), Group(parameter)]));
        Assert.Throws<ArgumentException>(() => other.CreateAdamW([Group(parameter)]));
        var optimizer = engine.CreateAdamW([Group(parameter)]);
        optimizer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => optimizer.Step(1f));
    }

    private static float Clip(Optimizer optimizer, float maxNorm)
    {
        optimizer.ClipGradients(maxNorm);
        return optimizer.GradientNorm;
    }

    private static ParameterGroup Group(params Parameter[] parameters) => new(parameters, Rate, Decay, Beta1, Beta2, Epsilon);

    private static double ReferenceStep(
        double value, double gradient, ref double m, ref double v, int step, float factor, ParameterGroup? settings = null)
    {
        settings ??= Group();
        var rate = settings.LearningRate * factor;
        m = settings.Beta1 * m + (1 - settings.Beta1) * gradient;
        v = settings.Beta2 * v + (1 - settings.Beta2) * gradient * gradient;
        return value - rate * settings.WeightDecay * value - rate * (m / (1 - Math.Pow(settings.Beta1, step)))
            / (Math.Sqrt(v / (1 - Math.Pow(settings.Beta2, step))) + settings.Epsilon);
    }

    private static float[] Gradient(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }

    /// <summary>Adds a given gradient g: that of Σ w·g, made with w as the weights or, of one dimension, as the bias of a layer.</summary>
    private static void AddGradient(Engine engine, Parameter parameter, float[] gradient)
    {
        using var tape = engine.BeginTape(training: true);
        var columns = parameter.Value.Columns;
        var rows = parameter.Value.Rows;
        Tensor? loss = null;
        for (var row = 0; row < rows; row++)
        {
            var g = tape.Constant(gradient.AsSpan(row * columns, columns), columns, 1);
            var x = parameter.Value.Rank == 1
                ? tape.Linear(tape.Constant([0f], 1), tape.Constant(new float[columns], 1, columns), parameter)
                : tape.Linear(tape.Constant(Enumerable.Range(0, rows).Select(r => r == row ? 1f : 0f).ToArray(), rows), parameter);
            var term = tape.Linear(x, g);
            loss = loss is null ? term : tape.Add(loss, term);
        }

        tape.Backward(loss!);
    }
}
