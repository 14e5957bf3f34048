using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;
using TorchSharp;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>A layer leaves the device to itself: at most once does the host wait for something from there.</summary>
public sealed class HostCopiesTests
{
    private static readonly Dictionary<string, RoutingPolicy> _policies = new()
    {
        ["TokenChoice"] = new TokenChoice(2, normalizeWeights: true),
        ["ExpertChoice"] = new ExpertChoice(1.5, RoutingScope.Batch),
        ["Unified"] = new Unified(1.5),
        ["GlobalWorkspace"] = new GlobalWorkspace(new TokenChoice(1, normalizeWeights: false), 1.0, 3),
    };

    public static TheoryData<string, string> PoliciesAndWays
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var policy in _policies.Keys)
            {
                foreach (var way in Enum.GetNames<ExpertWay>())
                    data.Add(policy, way);
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(PoliciesAndWays))]
    public void LayerCopiesToTheHostAtMostOnce(string policy, string way)
    {
        using var layer = new Layer(Enum.Parse<ExpertWay>(way));
        Skip.If(layer.IsUnavailable, "The grouped product does not work on this device.");
        layer.Step(_policies[policy]);
        var before = DeviceMemory.CopiesToHost;
        layer.Step(_policies[policy]);
        var copies = DeviceMemory.CopiesToHost - before;
        var mustAsk = policy == "GlobalWorkspace" || way is nameof(ExpertWay.OneByOne) or nameof(ExpertWay.PaddedToBusiest);
        Assert.Equal(mustAsk ? 1 : 0, copies);
    }

    [SkippableTheory]
    [InlineData("TokenChoice")]
    [InlineData("GlobalWorkspace")]
    public void OnTheProcessorTheHostChoosesAndKnowsThePairs(string policy)
    {
        TestDevice.SkipWithoutLibrary();
        using var engine = new TorchEngine();
        Assert.False(engine.ChoosesOnDevice);
        using var tape = engine.BeginTape(training: true);
        var layout = new SequenceLayout([0, 3]);
        var logits = tape.Constant([1, 2, 0, 4, 3, 1, 0, 0, 5], 3, 3);
        var before = DeviceMemory.CopiesToHost;
        var plan = tape.Route(logits, _policies[policy], layout);
        Assert.True(((TorchTape)tape).Pairs(plan).AreRowsKnown);
        Assert.Equal(1, DeviceMemory.CopiesToHost - before);
        var expected = _policies[policy].Route(logits.ToArray(), 3, layout, training: true);
        Assert.Equal(expected.ExpertOffsets, plan.ExpertOffsets);
        Assert.Equal(expected.PairTokens, plan.PairTokens);
    }

    [SkippableFact]
    public void PolicyOfTheHostIsHandedTheLogitsAndNothingElse()
    {
        using var layer = new Layer(ExpertWay.OneByOne);
        var before = DeviceMemory.CopiesToHost;
        layer.Step(ExpertCapacity.FromTokens(new TokenChoice(2, normalizeWeights: true), 3));
        Assert.Equal(1, DeviceMemory.CopiesToHost - before);
    }

    [SkippableTheory]
    [MemberData(nameof(PoliciesAndWays))]
    public void LiveTensorsDoNotGrowFromStepToStep(string policy, string way)
    {
        using var layer = new Layer(Enum.Parse<ExpertWay>(way));
        Skip.If(layer.IsUnavailable, "The grouped product does not work on this device.");
        layer.Step(_policies[policy]);
        var live = TestDevice.CountLiveTensors();
        for (var step = 0; step < 5; step++)
            layer.Step(_policies[policy]);
        Assert.Equal(live, TestDevice.CountLiveTensors());
    }

    private sealed class Layer : IDisposable
    {
        // In the precision and of the sizes that all ways take.
        private readonly TorchEngine _engine = TestDevice.CreateEngine(TrainingPrecision.BFloat16);
        private readonly Parameter[] _parameters;

        public Layer(ExpertWay way)
        {
            _engine.ExpertWay = way;
            _parameters =
            [
                _engine.CreateParameter("x", [20, 8], TestNumbers.Normal(1, 160)),
                _engine.CreateParameter("router", [8, 4], TestNumbers.Normal(2, 32)),
                _engine.CreateParameter("w1", [4, 8, 16], TestNumbers.Normal(3, 512)),
                _engine.CreateParameter("w2", [4, 16, 8], TestNumbers.Normal(4, 512)),
                _engine.CreateParameter("b2", [4, 8], TestNumbers.Normal(5, 32)),
            ];
        }

        public bool IsUnavailable => _engine.ExpertWay == ExpertWay.Grouped && !GroupedProduct.Works(_engine.Device);

        public void Step(RoutingPolicy policy)
        {
            using var tape = _engine.BeginTape(training: true);
            var p = _parameters;
            var layout = new SequenceLayout([0, 7, 7, 9, 20], [.. Enumerable.Range(0, 20).Select(row => row != 8)]);
            var logits = tape.RouterLogits(p[0], p[1]);
            var plan = tape.Route(logits, policy, layout);
            var y = tape.GroupedExperts(
                p[0], tape.CombineWeights(logits, plan), plan, new Experts(p[2], null, p[3], p[4], Activation.GeluTanh));
            var losses = tape.Add(tape.LoadBalancingLoss(logits, layout), tape.RouterZLoss(logits, layout));
            tape.Backward(tape.Add(losses, tape.CrossEntropy(y, new int[20], [])));
        }

        public void Dispose() => _engine.Dispose();
    }
}
