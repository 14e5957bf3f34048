using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Layers;

/// <summary>The defect of GW-MoE's released code: an uncertain token's output is p_{N−1}·x, no expert's.</summary>
public sealed class MoeLayerAsReleasedTests : IDisposable
{
    private const int Width = 6;
    private const int Count = 9;
    private const int Experts = 4;
    private readonly ManagedEngine _engine = new(2);
    private readonly float[] _xTD;

    public MoeLayerAsReleasedTests()
    {
        var random = new Random(3);
        _xTD = [.. Enumerable.Range(0, Count * Width).Select(_ => random.NextSingle() * 4 - 2)];
    }

    public static TheoryData<string> Policies { get; } = ["token", "expert", "unified"];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Policies))]
    public void UncertainTokensAreCopiedByTheLastProbabilityAndOthersUntouched(string kind)
    {
        var inner = Policy(kind);
        var plain = Run(inner);
        var entropies = plain.LogitsTE.Chunk(Experts).Select(logits => RouterEntropy.Of(logits)).Order().ToArray();
        var released = Run(AsReleased(inner, entropies[Count / 2]));
        Assert.Contains(Enumerable.Range(0, Count), released.Plan.IsBroadcast);
        Assert.Contains(Enumerable.Range(0, Count), t => !released.Plan.IsBroadcast(t));

        for (var t = 0; t < Count; t++)
        {
            float[] expected = released.Plan.IsBroadcast(t)
                ? [.. Token(_xTD, t).Select(x => LastProbability(released.LogitsTE, t) * x)]
                : Token(plain.Y, t);
            Assert.Equal(expected, Token(released.Y, t));
        }
    }

    [Fact]
    public void TheGradientReachesTheInputTheRouterAndTheExpertsOfCertainTokens()
    {
        var input = _engine.CreateParameter("x", [Count, Width], _xTD);
        var (layer, store) = Layer(AsReleased(Policy("token")));
        double Loss(bool backward)
        {
            using var tape = _engine.BeginTape(training: true);
            var y = layer.Forward(new ForwardContext(tape, new SequenceLayout([0, Count])), input);
            var loss = tape.MeanPool(tape.Linear(y, tape.Constant([.3f, -.5f, .7f, .2f, -.4f, .6f], Width, 1)), new SequenceLayout([0, Count]));
            if (backward)
                tape.Backward(loss);
            return loss.ToArray()[0];
        }

        Loss(backward: true);

        foreach (var parameter in store.All.Select(p => p.Parameter).Append(input))
        {
            var gradient = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(gradient);
            var values = parameter.Value.ToArray();
            for (var i = 0; i < values.Length; i += 7)
            {
                double At(float offset)
                {
                    var changed = (float[])values.Clone();
                    changed[i] += offset;
                    parameter.Value.CopyFrom(changed);
                    return Loss(backward: false);
                }

                var expected = (At(2e-3f) - At(-2e-3f)) / 4e-3;
                parameter.Value.CopyFrom(values);
                Assert.Equal(expected, gradient[i], 1e-3);
            }
        }
    }

    [Fact]
    public void PredictionIsThePlainLayers() =>
        Assert.Equal(Run(Policy("token"), training: false).Y, Run(AsReleased(Policy("token")), training: false).Y);

    private static RoutingPolicy Policy(string kind) => kind switch
    {
        "token" => new TokenChoice(2, normalizeWeights: true),
        "expert" => new ExpertChoice(1.5),
        _ => new Unified(1.5),
    };

    private static GlobalWorkspace AsReleased(RoutingPolicy inner, double threshold = 0.9) => new(inner, threshold, rule: GlobalWorkspaceRule.AsReleased);

    private static float LastProbability(float[] logitsTE, int token)
    {
        var plan = new RoutingPlan(Count, [0, 0, 0, 0, 1], [token], new CombineRule(0f, WeightNormalization.None));
        var weight = new float[1];
        CombineWeights.Forward(logitsTE, plan, weight, 0, plan.Tokens);
        return weight[0];
    }

    private static float[] Token(float[] yTD, int token) => yTD[(token * Width)..((token + 1) * Width)];

    private (MoeLayer Layer, ParameterStore Store) Layer(RoutingPolicy policy)
    {
        var store = new ParameterStore(_engine, seed: 5);
        return (new MoeLayer(store, "moe", 0, Width, 5, new MoeSettings(Experts, policy, 0, 0), 1f), store);
    }

    private (float[] Y, float[] LogitsTE, RoutingPlan Plan) Run(RoutingPolicy policy, bool training = true)
    {
        var observer = new LastLayer();
        using var tape = _engine.BeginTape(training);
        var context = new ForwardContext(tape, new SequenceLayout([0, Count]), observer);
        var y = Layer(policy).Layer.Forward(context, tape.Constant(_xTD, Count, Width));
        return (y.ToArray(), observer.Seen.LogitsTE.ToArray(), observer.Seen.Plan);
    }

    private sealed class LastLayer : IRoutingObserver
    {
        public RoutedLayer Seen { get; private set; }

        public void OnRouted(RoutedLayer layer) => Seen = layer;
    }
}
