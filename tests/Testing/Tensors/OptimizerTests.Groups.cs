using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Many parameters in several groups.</summary>
public abstract partial class OptimizerTests
{
    [SkippableFact]
    public void ManyParametersInMixedGroupsFollowThePaper()
    {
        const float MaxNorm = 4f;
        using var engine = CreateEngine();
        var other = new ParameterGroup([], 0.03f, 0f, 0.9f, 0.98f, 1e-5f);
        // The first two groups have the same settings, and some shapes leave libtorch a choice of strides.
        (int[][] Shapes, ParameterGroup Settings)[] kinds =
            [([[4, 5], [5], [1, 1]], Group()), ([[3, 1], [1, 6]], Group()), ([[2, 3], [7]], other)];
        var groups = kinds.Select((kind, k) => kind.Settings with
        {
            Parameters = [.. kind.Shapes.Select((shape, i) => engine.CreateParameter(
                $"{k}.{i}", shape, TestNumbers.Normal(10 * k + i, shape.Aggregate(1, (product, size) => product * size))))],
        }).ToArray();
        using var optimizer = engine.CreateAdamW(groups);
        ReferenceParameter[] references =
            [.. groups.SelectMany(group => group.Parameters.Select(parameter => new ReferenceParameter(parameter, group)))];
        for (var step = 1; step <= 8; step++)
        {
            // One rests for two steps and is behind the others from then on; each goes without a gradient now and then.
            references[1].Parameter.IsFrozen = step is 3 or 4;
            var moving = references.Where(reference => !reference.Parameter.IsFrozen).ToList();
            foreach (var (reference, i) in moving.Select((reference, i) => (reference, i)))
            {
                reference.Gradient = (step + i) % 4 == 0 ? null : TestNumbers.Normal(100 * step + i, reference.Parameter.Value.Length);
                if (reference.Gradient is not null)
                    AddGradient(engine, reference.Parameter, reference.Gradient);
            }

            var norm = Math.Sqrt(moving.Sum(reference => (reference.Gradient ?? []).Sum(g => (double)g * g)));
            Assert.Equal(norm, Clip(optimizer, MaxNorm), 1e-5 * norm);
            optimizer.Step(step / 8f);
            foreach (var reference in moving)
                reference.Step(Math.Min(1, MaxNorm / norm), step / 8f);
            foreach (var reference in references)
                TestNumbers.AssertClose(reference.Values, reference.Parameter.Value.ToArray(), 5e-6);
        }

        Assert.Equal([6f], optimizer.GetState().Single(values => values.Name == "0.1.steps").Values);
        Assert.Equal([8f], optimizer.GetState().Single(values => values.Name == "0.0.steps").Values);
    }

    [SkippableFact]
    public void OptimizersOverTheSameParametersTakeTurns()
    {
        using var engine = CreateEngine();
        var (a, b) = (engine.CreateParameter("a", [3, 4], TestNumbers.Normal(1, 12)), engine.CreateParameter("b", [2, 5], TestNumbers.Normal(2, 10)));
        var first = engine.CreateAdamW([Group(a, b)]);
        using var second = engine.CreateAdamW([Group(b), Group(a)]);
        ReferenceParameter[] ofFirst = [new(a, Group()), new(b, Group())];
        ReferenceParameter[] ofSecond = [new(a, Group()), new(b, Group())];
        Step(first, ofFirst, 1);
        Step(second, ofSecond, 2);
        Step(first, ofFirst, 3);
        Step(first, ofFirst, 4);
        first.Dispose();
        Step(second, ofSecond, 5);

        void Step(Optimizer optimizer, ReferenceParameter[] references, int seed)
        {
            foreach (var reference in references)
            {
                reference.Gradient = TestNumbers.Normal(seed, reference.Parameter.Value.Length);
                reference.Values = Reference.Doubles(reference.Parameter.Value.ToArray());
                AddGradient(engine, reference.Parameter, reference.Gradient);
            }

            optimizer.Step(1f);
            foreach (var reference in references)
            {
                reference.Step(1, 1);
                TestNumbers.AssertClose(reference.Values, reference.Parameter.Value.ToArray(), 5e-6);
            }
        }
    }

    [SkippableFact]
    public void ParametersAndGradientsOutliveTheOptimizer()
    {
        using var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [2], [1, 2]);
        var optimizer = engine.CreateAdamW([Group(parameter)]);
        AddGradient(engine, parameter, [3, 4]);
        optimizer.Step(1f);
        AddGradient(engine, parameter, [5, 6]);
        var values = parameter.Value.ToArray();
        optimizer.Dispose();
        Assert.Equal(values, parameter.Value.ToArray());
        AddGradient(engine, parameter, [1, 1]);
        Assert.Equal([6f, 7], Gradient(parameter));
        parameter.Value.CopyFrom([8, 9]);
        Assert.Equal([8f, 9], parameter.Value.ToArray());
    }

    [SkippableFact]
    public void TheNormIsThatOfTheLatestClipping()
    {
        using var engine = CreateEngine();
        var parameter = engine.CreateParameter("w", [2], [1, 2]);
        var optimizer = engine.CreateAdamW([Group(parameter)]);
        Assert.Equal(0f, optimizer.GradientNorm);
        AddGradient(engine, parameter, [3, 4]);
        optimizer.ClipGradients(1f);
        optimizer.Step(1f);
        AddGradient(engine, parameter, [0, 2]);
        Assert.Equal(5f, optimizer.GradientNorm, 1e-5f);
        Assert.Equal(5f, optimizer.GradientNorm, 1e-5f);
        optimizer.ClipGradients(1f);
        Assert.Equal(2f, optimizer.GradientNorm, 1e-5f);
        optimizer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => optimizer.GradientNorm);
    }

    /// <summary>A parameter as the paper's formulas have it, in double precision.</summary>
    private sealed class ReferenceParameter(Parameter parameter, ParameterGroup settings)
    {
        private readonly double[] _m = new double[parameter.Value.Length];
        private readonly double[] _v = new double[parameter.Value.Length];
        private int _steps;

        public Parameter Parameter => parameter;

        public double[] Values { get; set; } = Reference.Doubles(parameter.Value.ToArray());

        public float[]? Gradient { get; set; }

        public void Step(double scale, float factor)
        {
            _steps++;
            for (var i = 0; i < Values.Length; i++)
                Values[i] = ReferenceStep(Values[i], scale * (Gradient?[i] ?? 0), ref _m[i], ref _v[i], _steps, factor, settings);
        }
    }
}
