using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>GW-MoE on the causal mixtures of all families.</summary>
public sealed class FamilyWorkspaceTests : IDisposable
{
    private const int Experts = 8;
    private const int PerToken = 2;
    private static readonly int[] Ids = [5, 9, 7, 5, 11, 6, 30, 8];
    private readonly ManagedEngine _engine = new(1);

    /// <summary>All families with experts.</summary>
    public static TheoryData<string> Families => [.. TinyCausalFamilies.All.Except(TinyCausalFamilies.Dense)];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Families))]
    public void UncertainTokensReachAllExpertsWhileTraining(string family)
    {
        var model = Create(family);
        var before = new Passes();
        var plain = Run(model, training: false, before, policies: null);
        var first = model.Config.MoeBlocks[0];
        double[] entropies = [.. before.Tokens.Where(token => token.Block == first).Select(token => token.Entropy).Order()];
        var threshold = (entropies[Ids.Length / 2 - 1] + entropies[Ids.Length / 2]) / 2;
        var policies = Policies(model, new GlobalWorkspaceSettings(threshold, EntropyUnit.Nats));

        var training = new Passes();
        Run(model, training: true, training, policies);

        Assert.Equal(model.Config.MoeBlocks, training.Tokens.Select(token => token.Block).Distinct());
        Assert.Equal(Ids.Length / 2, training.Tokens.Count(token => token.Block == first && token.Experts == Experts));
        Assert.All(training.Tokens, token => Assert.Equal(token.Entropy >= threshold ? Experts : PerToken, token.Experts));
        // attention has as many experts for a token as there are heads of queries for one of keys
        Assert.Equal(family == "jetmoe" ? model.Config.Encoder.Layers * Ids.Length : 0, training.OfAttention.Count);
        Assert.All(training.OfAttention, experts => Assert.Equal(PerToken, experts));

        // and when it writes nothing has changed, to the bit
        var inference = new Passes();
        Assert.Equal(plain, Run(model, training: false, inference, policies));
        Assert.Equal(before.Tokens, inference.Tokens);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void AStepOfTrainingReachesAllExpertsAndLeavesAPlainModel(string family)
    {
        var (plain, broadcast) = (Create(family), Create(family));
        var start = plain.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());

        Train(plain, null);
        Train(broadcast, new GlobalWorkspaceSettings(0));

        Assert.Contains(Learned(plain, start), learned => !learned);
        Assert.DoesNotContain(Learned(broadcast, start), learned => !learned);
        var same = Create(family);
        foreach (var ((parameter, _), (trained, _)) in same.Parameters.All.Zip(broadcast.Parameters.All))
            parameter.Value.CopyFrom(trained.Value.ToArray());
        Assert.Equal(TinyCausalFamilies.Scores(same, Ids), TinyCausalFamilies.Scores(broadcast, Ids));
    }

    private Model<EncodedText> Create(string family) => TinyGenerators.Create(_engine, TinyCausalFamilies.Config(
        family, ("num_experts", Experts), ("num_local_experts", Experts), ("n_routed_experts", Experts), ("moe_num_experts", Experts)));

    private static PolicySelector Policies(Model<EncodedText> model, GlobalWorkspaceSettings settings) =>
        new WorkspacePolicies(settings, model.Experts, model.Config.MoeBlocks).Select;

    private static float[] Run(Model<EncodedText> model, bool training, IRoutingObserver observer, PolicySelector? policies)
    {
        using var tape = model.Engine.BeginTape(training);
        var batch = new TokenIdBatch().Reset(new SequenceLayout([0, Ids.Length]), Ids, default);
        return model.Encode(tape, batch, observer, policies).Last.ToArray();
    }

    // two tokens have four experts of eight in a layer
    private static void Train(Model<EncodedText> model, GlobalWorkspaceSettings? workspace)
    {
        var config = new GeneratorTrainingConfig { LoadBalancingCoefficient = 0f, RouterZLossCoefficient = 0f };
        config = config with
        {
            Training = config.Training with
            {
                MaxEpochs = 1, BatchSize = 1, LearningRate = 1e-2f, WarmupShare = 0f, Decay = LearningRateDecay.Constant, GlobalWorkspace = workspace,
            },
        };
        new GeneratorTrainer(config, model).Train([new(new EncodedText(new TokenIds([5, 9]), tokensCutOff: 0, isEmpty: false), 0f)], validation: []);
    }

    /// <summary>Of each expert of each MoE layer whether it has changed.</summary>
    private static bool[] Learned(Model<EncodedText> model, Dictionary<string, float[]> start) =>
    [
        .. model.Parameters.All.Select(p => p.Parameter)
            .Where(parameter => parameter.Name.Contains(".moe.experts.", StringComparison.Ordinal))
            .SelectMany(parameter => parameter.Value.ToArray().Chunk(parameter.Value.Length / Experts)
                .Zip(start[parameter.Name].Chunk(parameter.Value.Length / Experts), (now, then) => !now.AsSpan().SequenceEqual(then))),
    ];

    /// <summary>Keeps how uncertain the router was about each token, and to how many experts it went.</summary>
    private sealed class Passes : IRoutingObserver
    {
        public List<(int Block, double Entropy, int Experts)> Tokens { get; } = [];

        public List<int> OfAttention { get; } = [];

        public void OnRouted(RoutedLayer layer)
        {
            var logitsTE = layer.LogitsTE.ToArray();
            foreach (var (token, experts) in ExpertsOf(layer.Plan).Index())
                Tokens.Add((layer.Block, RouterEntropy.Of(logitsTE.AsSpan(token * Experts, Experts)), experts));
        }

        public void OnAttentionRouted(RoutedLayer layer) => OfAttention.AddRange(ExpertsOf(layer.Plan));

        private static int[] ExpertsOf(RoutingPlan plan)
        {
            var counts = new int[plan.Tokens];
            for (var expert = 0; expert < plan.Experts; expert++)
                foreach (var token in plan.TokensOf(expert))
                    counts[token]++;
            return counts;
        }
    }
}
