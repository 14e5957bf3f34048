using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Layers;

public sealed class MoeLayerTests : IDisposable
{
    private const int Width = 6;
    private const int Hidden = 5;
    private readonly ManagedEngine _engine = new(2);

    public static TheoryData<string> Policies { get; } = ["token", "expert", "unified", "capacity", "workspace"];

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void OneExpertIsTheDenseNetwork()
    {
        var xTD = Tokens(7);
        var (layer, store) = Layer(1, new TokenChoice(1, normalizeWeights: false));
        var dense = store.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());

        var (y, dx) = ForwardBackward(layer, xTD, new SequenceLayout([0, 7]));

        using var tape = _engine.BeginTape(training: true);
        var input = _engine.CreateParameter("x", [7, Width], xTD);
        var hidden = tape.Linear(input, Parameter("w1", Width, Hidden), Parameter("b1", Hidden), Activation.GeluTanh);
        var expected = tape.Linear(hidden, Parameter("w2", Hidden, Width), Parameter("b2", Width));
        AssertClose(expected.ToArray(), y);
        tape.Backward(SumOfWeighted(tape, expected));
        var gradient = new float[7 * Width];
        input.Value.CopyGradientTo(gradient);
        AssertClose(gradient, dx);

        Parameter Parameter(string name, params int[] shape) => _engine.CreateParameter(name, shape, dense["moe.experts." + name]);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void EqualsADoubleLoop(string kind)
    {
        var xTD = Tokens(9);
        var layout = new SequenceLayout([0, 4, 9]);
        var policy = Policy(kind);
        var (layer, store) = Layer(4, policy);
        var values = store.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());

        var (y, _) = ForwardBackward(layer, xTD, layout);

        AssertClose(DoubleLoop(xTD, values, policy, layout), y);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void PaddingNeverChangesAToken(string kind)
    {
        var xTD = Tokens(5);
        var (layer, _) = Layer(4, Policy(kind));
        var alone = ForwardBackward(layer, xTD, new SequenceLayout([0, 5])).Y;
        float[] padded = [.. xTD, .. Tokens(3, seed: 99)];

        var together = ForwardBackward(layer, padded, new SequenceLayout([0, 8], [true, true, true, true, true, false, false, false])).Y;

        AssertClose(alone, together[..(5 * Width)]);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void PermutingTokensPermutesOutputs(string kind)
    {
        int[] order = [3, 0, 4, 2, 1];
        var xTD = Tokens(5);
        var (layer, _) = Layer(4, Policy(kind));
        float[] shuffled = [.. order.SelectMany(t => xTD[(t * Width)..((t + 1) * Width)])];
        var layout = new SequenceLayout([0, 5]);

        var y = ForwardBackward(layer, xTD, layout).Y;
        var shuffledY = ForwardBackward(layer, shuffled, layout).Y;

        AssertClose([.. order.SelectMany(t => y[(t * Width)..((t + 1) * Width)])], shuffledY);
    }

    [Fact]
    public void AThresholdAboveLnNChangesNothing()
    {
        var plain = new TokenChoice(2, normalizeWeights: true);
        var layout = new SequenceLayout([0, 6]);

        var without = ForwardBackward(Layer(4, plain).Layer, Tokens(6), layout);
        var with = ForwardBackward(Layer(4, new GlobalWorkspace(plain, Math.Log(4) + 1e-3)).Layer, Tokens(6), layout);

        Assert.Equal(without.Y, with.Y);
        Assert.Equal(without.Dx, with.Dx);
    }

    [Fact]
    public void AllUncertainIsTheDenseMixture()
    {
        var xTD = Tokens(6);
        var layout = new SequenceLayout([0, 6]);
        var (layer, store) = Layer(4, new GlobalWorkspace(new TokenChoice(1, normalizeWeights: false), 0));
        var values = store.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());

        var (y, _) = ForwardBackward(layer, xTD, layout);

        AssertClose(DoubleLoop(xTD, values, new TokenChoice(4, normalizeWeights: false), layout), y);
    }

    [Fact]
    public void OneBroadcastTokenTeachesEveryExpert()
    {
        var policy = new GlobalWorkspace(new TokenChoice(1, normalizeWeights: false), 0, maxTokensPerSequence: 1);
        var (layer, store) = Layer(4, policy);

        ForwardBackward(layer, Tokens(1), new SequenceLayout([0, 1]));

        var w1 = store.All.Single(p => p.Parameter.Name == "moe.experts.w1").Parameter.Value;
        var gradient = new float[w1.Length];
        w1.CopyGradientTo(gradient);
        Assert.All(gradient.Chunk(Width * Hidden), expert => Assert.Contains(expert, g => g != 0));
    }

    [Fact]
    public void WithACacheItRoutesAPrefixAsInOnePass()
    {
        var xTD = Tokens(12);
        var (layer, _) = Layer(4, new Unified(1.5, 0.5, RoutingScope.Prefix, WeightNormalization.Selected));
        using var whole = _engine.BeginTape(training: false);
        var expected = layer.Forward(new ForwardContext(whole, new SequenceLayout([0, 5, 12])), whole.Constant(xTD, 12, Width)).ToArray();

        using var cache = new DecodingCache(_engine, sequences: 2, capacity: 7);
        var actual = new float[expected.Length];
        // the first tokens at once, then one by one; the first sequence ends earlier
        foreach (var (from, to) in new[] { (0, 3), (3, 4), (4, 5), (5, 6), (6, 7) })
        {
            int[] rows = [.. Enumerable.Range(0, 5).Take(to).Skip(from), .. Enumerable.Range(5, 7).Take(to).Skip(from)];
            var first = Math.Max(0, Math.Min(to, 5) - from);
            using var tape = _engine.BeginTape(training: false);
            var x = tape.Constant([.. rows.SelectMany(row => xTD[(row * Width)..((row + 1) * Width)])], rows.Length, Width);
            var layout = new SequenceLayout([0, first, rows.Length]);
            var y = layer.Forward(new ForwardContext(tape, layout, cache: cache), x).ToArray();
            cache.Count(layout);
            foreach (var (place, row) in rows.Index())
                y.AsSpan(place * Width, Width).CopyTo(actual.AsSpan(row * Width));
        }

        AssertClose(expected, actual);
    }

    [Fact]
    public void ItsBiasForTheChoiceDecidesAndHasNoGradient()
    {
        var settings = new MoeSettings(3, new TokenChoice(1, normalizeWeights: false), 0, 0) { HasChoiceBias = true };
        var store = new ParameterStore(_engine, (name, shape) => name == "moe.router.choiceBias"
            ? [0, 2, 0]
            : [.. Enumerable.Range(0, shape.Aggregate(1, (x, y) => x * y)).Select(i => MathF.Sin(i))]);
        var layer = new MoeLayer(store, "moe", 0, Width, Hidden, settings, 1f);
        var observer = new PlanObserver();
        using var tape = _engine.BeginTape(training: true);

        var y = layer.Forward(new ForwardContext(tape, new SequenceLayout([0, 4]), observer), tape.Constant(Tokens(4), 4, Width));
        tape.Backward(SumOfWeighted(tape, y));

        Assert.Equal([0, 1, 2, 3], observer.Plan!.TokensOf(1));
        var (bias, role) = store.All.Single(p => p.Parameter.Name == "moe.router.choiceBias");
        Assert.Equal(ParameterRole.ChoiceBias, role);
        var gradient = new float[3];
        bias.Value.CopyGradientTo(gradient);
        Assert.Equal([0, 0, 0], gradient);
    }

    [Theory]
    [InlineData(0f, 0f, 0)]
    [InlineData(0.5f, 0f, 1)]
    [InlineData(0.5f, 0.25f, 2)]
    public void RouterLossesJoinByTheirCoefficientsAndOnlyWhenTraining(float balance, float z, int expected)
    {
        var store = new ParameterStore(_engine, seed: 5);
        var settings = new MoeSettings(4, new TokenChoice(2, normalizeWeights: true), balance, z);
        var layer = new MoeLayer(store, "moe", 0, Width, Hidden, settings, 1f);
        var layout = new SequenceLayout([0, 6]);

        Assert.Empty(Losses(training: false).Added);
        var (added, balanceLoss, zLoss) = Losses(training: true);

        Assert.Equal(new[] { balance * balanceLoss, z * zLoss }.Take(expected), added);

        (float[] Added, float Balance, float Z) Losses(bool training)
        {
            using var tape = _engine.BeginTape(training);
            var context = new ForwardContext(tape, layout);
            var x = tape.Constant(Tokens(6), 6, Width);
            layer.Forward(context, x);
            var logits = tape.Linear(x, store.All.Single(p => p.Parameter.Name == "moe.router.weight").Parameter);
            return ([.. context.AuxiliaryLosses.Select(l => l.ToArray()[0])],
                tape.LoadBalancingLoss(logits, layout).ToArray()[0], tape.RouterZLoss(logits, layout).ToArray()[0]);
        }
    }

    private static RoutingPolicy Policy(string kind) => kind switch
    {
        "token" => new TokenChoice(2, normalizeWeights: true),
        "expert" => new ExpertChoice(1.5),
        "unified" => new Unified(1.5),
        "capacity" => ExpertCapacity.FromFactor(new TokenChoice(2, normalizeWeights: true), 0.6, 2, priority: CapacityPriority.Score),
        _ => new GlobalWorkspace(new TokenChoice(1, normalizeWeights: false), 1.2),
    };

    /// <summary>y_t = Σ over pairs of weight·(W2·gelu(W1·x + b1) + b2), one token and one expert at a time, in double precision.</summary>
    private static float[] DoubleLoop(float[] xTD, Dictionary<string, float[]> values, RoutingPolicy policy, SequenceLayout layout)
    {
        var router = values["moe.router.weight"];
        var experts = router.Length / Width;
        var logits = new float[layout.Tokens * experts];
        for (var t = 0; t < layout.Tokens; t++)
            for (var e = 0; e < experts; e++)
                logits[t * experts + e] = (float)Enumerable.Range(0, Width).Sum(d => (double)xTD[t * Width + d] * router[d * experts + e]);
        var plan = policy.Route(logits, experts, layout, training: true);
        var scores = new double[experts];
        var y = new double[layout.Tokens * Width];
        for (var e = 0; e < experts; e++)
            foreach (var t in plan.TokensOf(e))
            {
                var logitsE = logits.AsSpan(t * experts, experts);
                RouterScores.Unified(logitsE, plan.IsBroadcast(t) ? 0 : plan.Weights.Alpha, scores);
                var total = plan.IsBroadcast(t) ? 1 : plan.Weights.Normalization switch
                {
                    WeightNormalization.Selected => Enumerable.Range(0, experts).Where(i => plan.TokensOf(i).Contains(t)).Sum(i => scores[i]),
                    WeightNormalization.All => scores.Sum(),
                    _ => 1,
                };
                var hidden = Enumerable.Range(0, Hidden).Select(f => Gelu(values["moe.experts.b1"][e * Hidden + f] + Enumerable.Range(0, Width)
                    .Sum(d => (double)xTD[t * Width + d] * values["moe.experts.w1"][(e * Width + d) * Hidden + f]))).ToArray();
                for (var d = 0; d < Width; d++)
                    y[t * Width + d] += scores[e] / total * (values["moe.experts.b2"][e * Width + d] + Enumerable.Range(0, Hidden)
                        .Sum(f => hidden[f] * values["moe.experts.w2"][(e * Hidden + f) * Width + d]));
            }

        return [.. y.Select(v => (float)v)];
    }

    private sealed class PlanObserver : IRoutingObserver
    {
        public RoutingPlan? Plan { get; private set; }

        public void OnRouted(RoutedLayer layer) => Plan = layer.Plan;
    }

    private static double Gelu(double x) => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    private static float[] Tokens(int count, int seed = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count * Width).Select(_ => random.NextSingle() * 4 - 2)];
    }

    private static Tensor SumOfWeighted(Tape tape, Tensor y)
    {
        // any loss that weighs every element differently
        float[] mix = [.. Enumerable.Range(0, y.Columns).Select(d => 0.3f + 0.1f * d)];
        var rows = tape.Linear(y, tape.Constant(mix, y.Columns, 1));
        return tape.MeanPool(rows, new SequenceLayout([0, y.Rows]));
    }

    private static void AssertClose(float[] expected, float[] actual) =>
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, 1e-5));

    private (MoeLayer Layer, ParameterStore Store) Layer(int experts, RoutingPolicy policy)
    {
        var store = new ParameterStore(_engine, seed: 5);
        return (new MoeLayer(store, "moe", 0, Width, Hidden, new MoeSettings(experts, policy, 0, 0), 1f), store);
    }

    private (float[] Y, float[] Dx) ForwardBackward(MoeLayer layer, float[] xTD, SequenceLayout layout)
    {
        using var tape = _engine.BeginTape(training: true);
        var x = _engine.CreateParameter("x", [xTD.Length / Width, Width], xTD);
        var y = layer.Forward(new ForwardContext(tape, layout), x);
        tape.Backward(SumOfWeighted(tape, y));
        var gradient = new float[xTD.Length];
        x.Value.CopyGradientTo(gradient);
        return (y.ToArray(), gradient);
    }
}
