using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Every router that a graph can have, on texts of different lengths: padding must not compete.</summary>
public sealed class RoutingExportTests : IDisposable
{
    private const int Rows = 1000;

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Routers { get; } = new(Known.Keys);

    private static Dictionary<string, Router> Known => new()
    {
        ["top 1"] = Router.TokenChoice(1),
        ["top 2, normalised"] = Router.TokenChoice(2),
        ["top 3, not normalised"] = Router.TokenChoice(3, normalizeWeights: false),
        ["sigmoid, groups"] = Router.TokenChoice(2) with
        {
            ScoreFunction = ScoreFunction.Sigmoid, Groups = new ExpertGroups(3, 2, GroupScore.SumOfTwoLargest), SmallestSum = 1e-20,
        },
        ["groups by their largest"] = Router.TokenChoice(2) with { Groups = new ExpertGroups(2, 1) },
        ["skipping"] = Router.TokenChoice(3) with { SkipThreshold = 0.6 },
        ["SparseMixer"] = Router.TokenChoice(2) with { ScoreFunction = ScoreFunction.SparseMixer, Jitter = 0.1 },
        ["capacity by position"] = Router.TokenChoice(2) with { CapacityFactor = 0.6 },
        ["capacity by score, multiples"] =
            Router.TokenChoice(2) with { CapacityFactor = 0.6, CapacityMultiple = 2, CapacityPriority = CapacityPriority.Score },
        ["capacity by choice"] = Router.TokenChoice(3) with { CapacityFactor = 0.5, CapacityPriority = CapacityPriority.Choice },
        ["capacity by batch priority"] =
            Router.TokenChoice(2) with { ExpertCapacity = 2, CapacityPriority = CapacityPriority.BatchPriority },
        ["experts choose"] = Router.ExpertChoice(1.5),
        ["experts choose, capacity"] = Router.ExpertChoice(2) with { ExpertCapacity = 1 },
        ["unified"] = Router.Unified(1.5),
        ["unified, half an expert"] = Router.Unified(0.5, alpha: 0.3),
        ["unified, by all"] = Router.Unified(2, alpha: 0.4, normalization: WeightNormalization.All),
        ["unified, by the selected"] = Router.Unified(2.5, alpha: 0.7, normalization: WeightNormalization.Selected),
        ["soft"] = Router.Soft(2),
    };

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Routes_as_the_model_does(string name)
    {
        var model = Create(Known[name]);
        var rows = Encoded(model);
        OnnxFile.Close(model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score"), 3, fewRows: 3);
    }

    [Fact]
    public void Routers_differ()
    {
        var results = Known.Where(pair => pair.Key != "soft").ToDictionary(pair => pair.Key, pair => Create(pair.Value) is var model
            ? string.Join(' ', model.Scores(Encoded(model, 50)))
            : "");
        Assert.Equal(results.Count, results.Values.Distinct().Count());
    }

    [Theory]
    [InlineData(RoutingScope.Batch, true)]
    [InlineData(RoutingScope.Batch, false)]
    [InlineData(RoutingScope.TimeStep, true)]
    [InlineData(RoutingScope.TimeStep, false)]
    public void Rows_compete_with_each_other(RoutingScope scope, bool masksPadding)
    {
        Router[] routers = [Router.Unified(1.3, scope: scope), Router.Unified(0.25, scope: scope), Router.ExpertChoice(1.3, scope)];
        foreach (var router in routers)
        {
            var model = Create(router with { MaskPadding = masksPadding });
            // all in one pass of the model and of the graph
            var rows = Encoded(model, 30);
            OnnxFile.Close(model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score"), 3, fewRows: 1);
            Assert.NotEqual(model.Scores(rows), [.. rows.SelectMany(row => model.Scores([row]))]);
        }
    }

    [Fact]
    public void Padding_competes_where_it_is_asked_to()
    {
        var model = Create(Router.Unified(1.5) with { MaskPadding = false });
        // all rows in one pass of the model and of the graph: what is filled up is then the same
        var rows = Encoded(model, 40);
        OnnxFile.Close(model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score"), 3, fewRows: 1);
    }

    [Fact]
    public void Soft_with_as_many_slots_as_tokens()
    {
        var model = Create(Router.Soft(2), maximumTokens: 12);
        var rows = Encoded(model);
        OnnxFile.Close(model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score"), 3);
    }

    [Fact]
    public void A_choice_bias_and_a_shared_expert()
    {
        var mixture = new MixtureConfig
        {
            SharedWidth = 8, HasSharedGate = true, HasRouterBias = true, HasChoiceBias = true, RoutedScale = 2.5f,
        };
        var model = Create(Router.TokenChoice(2) with { ScoreFunction = ScoreFunction.Sigmoid }, mixture);
        foreach (var (parameter, _) in model.Parameters.All.Where(p => p.Parameter.Name.Contains(".router.", StringComparison.Ordinal)))
            if (parameter.Value.Rank == 1)
                parameter.Value.CopyFrom([0.3f, -0.2f, 0.1f, 0.4f, -0.3f, 0f]);
        var rows = Encoded(model);
        OnnxFile.Close(model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score"), 3, fewRows: 3);
    }

    [Fact]
    public void What_cannot_be_expressed_is_refused_by_name()
    {
        AssertRefused(Create(Router.TokenChoice(2) with { Scope = RoutingScope.Batch, CapacityFactor = 1 }), "RoutingScope.Batch");
        AssertRefused(Create(Router.Unified(1.5) with { Scope = RoutingScope.Prefix }), "RoutingScope.Prefix");
        AssertRefused(Create(Router.TokenChoice(2) with { ExpertCapacity = 1, DroppedTokens = DroppedTokens.PassThrough }), "PassThrough");
        AssertRefused(Create(Router.TokenChoice(2)).WithPolicy(new Own()), nameof(Own));
        AssertRefused(Create(Router.TokenChoice(2)).WithPolicy(new RandomExperts(new TokenChoice(2, true), 0.5)), nameof(RandomExperts));
        Assert.Empty(_folder.Files);
    }

    [Fact]
    public void A_global_workspace_is_of_training_alone()
    {
        var model = Create(Router.TokenChoice(2));
        var rows = Encoded(model, 100);
        var inWorkspace = model.WithPolicy(new GlobalWorkspace(new TokenChoice(2, true), entropyThreshold: 0));
        OnnxFile.Close(model, rows, model.Scores(rows), TextModels.Run(inWorkspace, _folder["model.onnx"], rows, "Score"), 3, fewRows: 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rectified_logits_which_no_router_makes(bool ofAllPositive)
    {
        RoutingPolicy policy = ofAllPositive ? new ReluRouting() : new TokenChoice(2, true) { ScoreFunction = ScoreFunction.Relu };
        var plain = Create(Router.TokenChoice(2));
        var model = plain.WithPolicy(policy);
        var rows = Encoded(model);
        Assert.NotEqual(plain.Scores(rows), model.Scores(rows));
        OnnxFile.Close(model, rows, model.Scores(rows), TextModels.Run(model, _folder["model.onnx"], rows, "Score"), 3, fewRows: 3);
    }

    [Fact]
    public void Near_ties_are_what_the_routers_tell()
    {
        var (one, two) = (Create(Router.TokenChoice(1)), Create(Router.TokenChoice(2)));
        var rows = Encoded(one, 100);
        Assert.InRange(NearTies.Of(one, rows).Count, 0, 5);
        foreach (var model in new[] { one, two })
        {
            foreach (var router in model.Parameters.All.Where(p => p.Role == ParameterRole.Router).Select(p => p.Parameter.Value))
            {
                // experts 0 and 1, 2 and 3, 4 and 5 have the same scores
                var values = router.ToArray();
                for (var i = 0; i < values.Length; i++)
                    values[i] = values[i - i % 2];
                router.CopyFrom(values);
            }
        }

        Assert.Equal(Enumerable.Range(0, rows.Count), NearTies.Of(one, rows).Order());
        Assert.InRange(NearTies.Of(two, rows).Count, 0, 5);
        Assert.Empty(NearTies.Of(Create(Router.Soft()), rows));
    }

    private void AssertRefused(Model<EncodedText> model, string named)
    {
        var error = Assert.Throws<NotSupportedException>(() => OnnxExport.Save(model, _folder["model.onnx"]));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    private static List<EncodedText> Encoded(Model<EncodedText> model, int count = Rows) =>
        [.. TextModels.Texts(count, longest: 14, seed: 4).Select(text => model.Input.Encode(text))];

    private Model<EncodedText> Create(Router router, MixtureConfig? mixture = null, int maximumTokens = 16)
    {
        var input = TableTextInput.Create(new TextInputConfig { HashBits = 9, MaximumTokens = maximumTokens });
        var encoder = new EncoderConfig
        {
            Width = 16, Layers = 2, Heads = 2, Experts = 6, ExpertWidth = 16, Router = router, Mixture = mixture,
        };
        var store = new ParameterStore(_engine, seed: 3);
        var model = new Model<EncodedText>(
            _engine,
            new ModelConfig { Input = input.Config, Encoder = encoder, Head = new ClassesHeadConfig { Classes = 3 } },
            input,
            store);
        // sharper routers and classes than those that have not learned
        foreach (var (parameter, role) in store.All)
            if (role == ParameterRole.Router || parameter.Name is "head.weight" or "tokens")
                parameter.Value.CopyFrom([.. parameter.Value.ToArray().Select(value => 3 * value)]);
        return model;
    }

    private sealed class Own : RoutingPolicy
    {
        public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
            new TokenChoice(1, false).Route(logitsTE, experts, layout, training);
    }
}
