using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Gradients that are taken out of parameters, added and put back.</summary>
public abstract class GradientTests
{
    private readonly GradientBuffers _buffers = new();

    /// <summary>Creates the engine under test.</summary>
    protected abstract Engine CreateEngine();

    [SkippableFact]
    public void TwoHalvesAddUpToTheWhole()
    {
        using var engine = CreateEngine();
        var parameters = Parameters(engine);
        Backward(engine, parameters, [1, 4, 1], seed: 1);
        Backward(engine, parameters, [0, 4], seed: 2);
        var whole = parameters.Select(Gradient).ToList();

        Clear(parameters);
        Backward(engine, parameters, [1, 4, 1], seed: 1);
        var first = parameters.Select(p => p.Value.TakeGradient(_buffers)).ToList();
        Assert.All(parameters, p => Assert.All(Gradient(p), value => Assert.Equal(0f, value)));
        Assert.All(parameters, p => Assert.Null(p.Value.TakeGradient(_buffers)));
        Backward(engine, parameters, [0, 4], seed: 2);
        foreach (var (parameter, half) in parameters.Zip(first))
            parameter.Value.PutGradient(ParameterGradient.Sum(half, parameter.Value.TakeGradient(_buffers), _buffers), _buffers);

        Assert.Equal([0, 1, 4], first[0]!.Rows!.Union([0]).Order());
        foreach (var (expected, parameter) in whole.Zip(parameters))
            Assert.All(expected.Zip(Gradient(parameter)), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    [SkippableFact]
    public void AGradientThatWasPutBackTakesTheSameStep()
    {
        using var engine = CreateEngine();
        var (one, other) = (Parameters(engine), Parameters(engine));
        foreach (var parameters in new[] { one, other })
        {
            using var optimizer = engine.CreateAdamW([new ParameterGroup(parameters, 0.1f, 0.1f)]);
            Backward(engine, parameters, [3, 2], seed: 1);
            if (parameters == other)
                foreach (var parameter in parameters)
                    parameter.Value.PutGradient(parameter.Value.TakeGradient(_buffers), _buffers);
            optimizer.ClipGradients(1f);
            optimizer.Step(1f);
        }

        foreach (var (expected, found) in one.Zip(other))
            Assert.Equal(expected.Value.ToArray(), found.Value.ToArray());
    }

    private static Parameter[] Parameters(Engine engine) =>
    [
        engine.CreateParameter("table", [6, 4], TestNumbers.Normal(1, 24), sparseRows: true),
        engine.CreateParameter("weight", [4, 5], TestNumbers.Normal(2, 20)),
        engine.CreateParameter("unused", [3, 2], TestNumbers.Normal(3, 6)),
    ];

    private static void Backward(Engine engine, Parameter[] parameters, int[] rows, int seed)
    {
        using var tape = engine.BeginTape(training: true);
        var y = tape.Linear(tape.Embedding(parameters[0], rows), parameters[1]);
        tape.Backward(tape.Mean(tape.Multiply(y, tape.Constant(TestNumbers.Normal(seed, rows.Length * 5), rows.Length, 5))));
    }

    private static void Clear(Parameter[] parameters)
    {
        foreach (var parameter in parameters)
            parameter.Value.PutGradient(null, new GradientBuffers());
    }

    private static float[] Gradient(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }
}
