using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using TorchSharp;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The TorchSharp engine.</summary>
public sealed class TorchEngineTests : EngineTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();

    [SkippableFact]
    public void DescribesItself()
    {
        using var engine = TestDevice.CreateEngine();
        Assert.StartsWith("TorchSharp ", engine.Description, StringComparison.Ordinal);
        Assert.Contains(TestDevice.Gpu is { } gpu ? $"GPU {gpu}" : "CPU, ", engine.Description, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void GpusThatAreNotThereAreRejected()
    {
        TestDevice.SkipWithoutLibrary();
        Assert.Throws<ArgumentOutOfRangeException>(() => new TorchEngine(-1));
        var error = Assert.Throws<InvalidOperationException>(() => new TorchEngine(TorchEngine.GpuCount));
        Assert.Contains("GPU", error.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(TrainingPrecision.Full)]
    [InlineData(TrainingPrecision.BFloat16)]
    public void LiveTensorsDoNotGrowFromStepToStep(TrainingPrecision precision)
    {
        using var engine = TestDevice.CreateEngine(precision);
        var parameters = new[]
        {
            engine.CreateParameter("table", [50, 12], TestNumbers.Normal(1, 600), sparseRows: true),
            engine.CreateParameter("qkv", [12, 36], TestNumbers.Normal(2, 432)),
            engine.CreateParameter("router", [12, 3], TestNumbers.Normal(3, 36)),
            engine.CreateParameter("w1", [3, 12, 8], TestNumbers.Normal(4, 288)),
            engine.CreateParameter("w2", [3, 8, 12], TestNumbers.Normal(5, 288)),
        };
        using var optimizer = engine.CreateAdamW([new ParameterGroup(parameters, 0.01f, 0.1f)]);
        for (var step = 0; step < 2; step++)
            Step(step);
        var live = TestDevice.CountLiveTensors();
        for (var step = 2; step < 12; step++)
            Step(step);
        Assert.Equal(live, TestDevice.CountLiveTensors());

        void Step(int step)
        {
            using var tape = engine.BeginTape(training: true, (ulong)step);
            var layout = new SequenceLayout([0, 7, 7, 9, 20]);
            var x = tape.EmbeddingBag(parameters[0], Bags(step));
            x = tape.Attention(tape.Linear(x, parameters[1]), layout, 2, 0.1f);
            x.ToArray();
            x = tape.Dropout(x, 0.1f);
            var logits = tape.Linear(x, parameters[2]);
            var plan = tape.Route(logits, new TokenChoice(2, normalizeWeights: true), layout);
            var experts = new Experts(parameters[3], null, parameters[4], null, Activation.GeluTanh);
            x = tape.GroupedExperts(x, tape.CombineWeights(logits, plan), plan, experts);
            var pooled = tape.Concat(tape.MeanPool(x, layout), tape.MaxPool(x, layout), tape.AttentionPool(x, logits, layout));
            var loss = tape.Add(tape.LoadBalancingLoss(logits, layout), tape.RouterZLoss(logits, layout));
            tape.Backward(tape.Add(loss, tape.CrossEntropy(pooled, [0, 1, 2, 3], [], 0.1f)));
            optimizer.ClipGradients(1f);
            optimizer.Step(1f);
        }

        static RaggedIndices Bags(int step) =>
            new([.. Enumerable.Range(0, 21).Select(bag => 2 * bag)], TestNumbers.Indices(step, 40, 50), TestNumbers.Normal(step, 40));
    }

    [SkippableFact]
    public void CallersDisposeScopesTakeNothingAway()
    {
        using var engine = TestDevice.CreateEngine();
        Parameter parameter;
        using var tape = engine.BeginTape(training: true);
        Tensor y;
        using (torch.NewDisposeScope())
        {
            parameter = engine.CreateParameter("w", [2, 1], [3, 4]);
            y = tape.Linear(tape.Constant([1, 2], 1, 2), parameter);
        }

        Assert.Equal([11f], y.ToArray());
        tape.Backward(tape.Scale(y, 2f));
        var gradient = new float[2];
        parameter.Value.CopyGradientTo(gradient);
        Assert.Equal([2f, 4f], gradient);
    }

    [SkippableFact]
    public void MemoryThatRunsOutIsExplained()
    {
        // 256 TiB, more than there are addresses for.
        const int Width = 8_000_000;
        using var engine = TestDevice.CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[Width], 1, Width);
        var error = Assert.Throws<InsufficientMemoryException>(() => tape.AttentionPool(x, x, new SequenceLayout([0, 1])));
        Assert.Contains("BatchSize", error.Message, StringComparison.Ordinal);
        Assert.Contains("size 1", error.Message, StringComparison.Ordinal);
        Assert.Equal(0f, tape.Scale(x, 2f).ToArray()[^1]);
    }
}
