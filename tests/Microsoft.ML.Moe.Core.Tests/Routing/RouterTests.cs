using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

public class RouterTests
{
    private static readonly SequenceLayout Layout = new([0, 4]);

    public static TheoryData<Router, Type> All { get; } = new()
    {
        { Router.TokenChoice(), typeof(TokenChoice) },
        { Router.TokenChoice(1), typeof(TokenChoice) },
        { Router.TokenChoice(3, normalizeWeights: false), typeof(TokenChoice) },
        { Router.TokenChoice(1, normalizeWeights: true), typeof(TokenChoice) },
        { Router.ExpertChoice(), typeof(ExpertChoice) },
        { Router.ExpertChoice(1.25, RoutingScope.TimeStep), typeof(ExpertChoice) },
        { Router.ExpertChoice(0.1) with { MaskPadding = false }, typeof(ExpertChoice) },
        { Router.Unified(), typeof(Unified) },
        { Router.Unified(1.5, 0.4, RoutingScope.Batch, normalization: WeightNormalization.All), typeof(Unified) },
        { Router.Unified(1.5, alpha: 0) with { MaskPadding = false }, typeof(Unified) },
        { Router.Unified(2, alpha: 1) with { CapacityFactor = 1.25, CapacityPriority = CapacityPriority.Score }, typeof(ExpertCapacity) },
        { Router.TokenChoice(1) with { ExpertCapacity = 64 }, typeof(ExpertCapacity) },
        { Router.TokenChoice(1) with { ExpertCapacity = 0, DroppedTokens = DroppedTokens.PassThrough }, typeof(ExpertCapacity) },
        { Router.TokenChoice() with { CapacityFactor = 0.1, Scope = RoutingScope.Batch }, typeof(ExpertCapacity) },
    };

    [Theory]
    [MemberData(nameof(All))]
    public void AFileKeepsIt(Router router, Type policy)
    {
        var config = new ModelConfig
        {
            Input = new TextInputConfig(),
            Encoder = new EncoderConfig { Router = router },
            Head = new VectorHeadConfig(),
        };
        using var file = new MemoryStream();
        config.Write(file);
        file.Position = 0;

        var read = ModelConfig.Read(file).Encoder.Router;

        Assert.Equal(router, read);
        Assert.IsType(policy, read.CreatePolicy());
    }

    [Fact]
    public void RoutersAreEqualByTheirValues()
    {
        var routers = All.Select(row => (Router)((object[])row)[0]).ToList();

        Assert.Equal(routers.Count, routers.Distinct().Count());
        Assert.Equal(Router.Unified(1.5, 0.4), Router.Unified(2, 0.4) with { ExpertsPerToken = 1.5 });
    }

    [Theory]
    [InlineData(1, null, false)]
    [InlineData(2, null, true)]
    [InlineData(1, true, true)]
    [InlineData(2, false, false)]
    public void TokenChoiceDividesWeightsWhereThereIsMoreThanOneExpertUnlessToldOtherwise(int k, bool? given, bool expected)
    {
        var router = Router.TokenChoice(k, given);

        Assert.Equal((RouterKind.TokenChoice, k, expected), (router.Kind, router.ExpertsPerToken, router.Normalization == WeightNormalization.Selected));
    }

    [Fact]
    public void TheOthersDoNotUnlessAskedTo()
    {
        Assert.Equal(WeightNormalization.None, Router.ExpertChoice(1.5).Normalization);
        Assert.Equal(WeightNormalization.None, Router.Unified().Normalization);
        Assert.Equal(WeightNormalization.Selected, Router.Unified(normalization: WeightNormalization.Selected).Normalization);
    }

    [Fact]
    public void ItsPolicyHasItsValues()
    {
        var sharedByTheRouters = new float[] { 2, 1, 0, /**/ 0, 2, 1, /**/ 1, 0, 2, /**/ 3, 0, 2 };

        AssertSame(new TokenChoice(2, normalizeWeights: true), Router.TokenChoice());
        AssertSame(new TokenChoice(2, normalizeWeights: false), Router.TokenChoice(2, normalizeWeights: false));
        AssertSame(new ExpertChoice(1.5, RoutingScope.Batch), Router.ExpertChoice(1.5, RoutingScope.Batch));
        AssertSame(
            new Unified(1.25, 0.1, RoutingScope.TimeStep, WeightNormalization.All),
            Router.Unified(1.25, 0.1, RoutingScope.TimeStep, WeightNormalization.All));

        void AssertSame(RoutingPolicy policy, Router router)
        {
            var layout = new SequenceLayout([0, 1, 4]);
            using var engine = new ManagedEngine(1);
            using var tape = engine.BeginTape(training: false);
            var logits = tape.Constant(sharedByTheRouters, 4, 3);
            RoutingPlan[] plans = [tape.Route(logits, policy, layout), tape.Route(logits, router.CreatePolicy(), layout)];
            Assert.Equal(plans[0].PairTokens, plans[1].PairTokens);
            Assert.Equal(tape.CombineWeights(logits, plans[0]).ToArray(), tape.CombineWeights(logits, plans[1]).ToArray());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void ImpossibleExpertsPerTokenAreRefusedByName(double expertsPerToken)
    {
        AssertNamed(nameof(Router.ExpertsPerToken), () => Router.ExpertChoice(expertsPerToken));
        AssertNamed(nameof(Router.ExpertsPerToken), () => Router.Unified(expertsPerToken));
        foreach (var kind in Enum.GetValues<RouterKind>())
            AssertNamed(nameof(Router.ExpertsPerToken), () => Routers.Of(kind) with { ExpertsPerToken = expertsPerToken });
    }

    [Fact]
    public void TokenChoiceTakesWholeNumbersAlone()
    {
        AssertNamed(nameof(Router.ExpertsPerToken), () => Router.TokenChoice(0));
        var error = AssertNamed(nameof(Router.ExpertsPerToken), () => Router.TokenChoice() with { ExpertsPerToken = 1.5 });

        Assert.Contains("whole number", error.Message, StringComparison.Ordinal);
        Assert.Equal(1.5, (Router.ExpertChoice() with { ExpertsPerToken = 1.5 }).ExpertsPerToken);
    }

    [Theory]
    [InlineData(-0.01)]
    [InlineData(1.1)]
    [InlineData(double.NaN)]
    public void AnImpossibleAlphaIsRefusedByName(double alpha)
    {
        AssertNamed(nameof(Router.Alpha), () => Router.Unified(1, alpha));
        AssertNamed(nameof(Router.Alpha), () => Router.Unified() with { Alpha = alpha });
    }

    [Fact]
    public void WhatARouterHasNoUseForIsRefused()
    {
        AssertUseless(nameof(Router.Alpha), () => Router.TokenChoice() with { Alpha = 0.4 });
        AssertUseless(nameof(Router.Alpha), () => Router.ExpertChoice() with { Alpha = 0.4 });
        AssertUseless(nameof(Router.Normalization), () => Router.ExpertChoice() with { Normalization = WeightNormalization.Selected });
        AssertUseless(nameof(Router.Normalization), () => Router.TokenChoice() with { Normalization = WeightNormalization.All });
        AssertUseless(nameof(Router.ScoreFunction), () => Router.Unified() with { ScoreFunction = ScoreFunction.Sigmoid });
        AssertUseless(nameof(Router.Groups), () => Router.Unified() with { Groups = new ExpertGroups(2, 1) });
        AssertUseless(nameof(Router.SkipThreshold), () => Router.ExpertChoice() with { SkipThreshold = 0.5 });
        AssertUseless(nameof(Router.SmallestSum), () => Router.Unified() with { SmallestSum = 1e-12 });
        AssertUseless(nameof(Router.Jitter), () => Router.Unified() with { Jitter = 0.01 });

        static void AssertUseless(string setting, Func<Router> create)
        {
            var error = Assert.Throws<ArgumentException>(create);
            Assert.Equal(setting, error.ParamName);
            Assert.Contains("no effect", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void UnknownScopesAndPrioritiesAreRefused()
    {
        AssertNamed(nameof(Router.Scope), () => Router.Unified(scope: (RoutingScope)(-1)));
        AssertNamed(nameof(Router.Scope), () => Router.ExpertChoice() with { Scope = (RoutingScope)7 });
        AssertNamed(nameof(Router.CapacityPriority), () => Router.Unified(1) with { CapacityPriority = (CapacityPriority)7 });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void AnImpossibleCapacityIsRefusedByName(double factor) =>
        AssertNamed(nameof(Router.CapacityFactor), () => Router.Unified(1) with { CapacityFactor = factor });

    [Fact]
    public void WithoutCapacityNothingIsDropped()
    {
        var plan = Router.TokenChoice(1).CreatePolicy().Route(new float[8], 2, Layout, training: false);

        Assert.Equal([0, 1, 2, 3], plan.TokensOf(0));
        Assert.Equal(0, plan.DroppedPairs);
    }

    [Theory]
    [InlineData(CapacityPriority.Position, new[] { 0, 1 })]
    [InlineData(CapacityPriority.Score, new[] { 2, 3 })]
    public void ACapacityFactorLimitsEachExpert(CapacityPriority priority, int[] expected)
    {
        var router = Router.TokenChoice(1) with { CapacityFactor = 1, CapacityPriority = priority };

        var plan = router.CreatePolicy().Route([1, 0, /**/ 2, 0, /**/ 3, 0, /**/ 4, 0], 2, Layout, training: false);

        Assert.Equal(expected, plan.TokensOf(0));
        Assert.Equal(2, plan.DroppedPairs);
    }

    [Fact]
    public void AnExpertCapacityIsANumberOfTokens()
    {
        float[] logits = [1, 0, /**/ 2, 0, /**/ 3, 0, /**/ 4, 0];
        RoutingPlan Plan(Router router) => router.CreatePolicy().Route(logits, 2, Layout, training: false);
        var router = Router.TokenChoice(1) with { ExpertCapacity = 3 };

        Assert.Equal([0, 1, 2], Plan(router).TokensOf(0));
        Assert.Equal([0, 1], Plan(router with { CapacityFactor = 1 }).TokensOf(0));
        Assert.Equal([0, 1, 2], Plan(router with { CapacityFactor = 2 }).TokensOf(0));
        Assert.Equal(4, Plan(router with { ExpertCapacity = 0 }).DroppedPairs);
        AssertNamed(nameof(Router.ExpertCapacity), () => router with { ExpertCapacity = -1 });
    }

    [Fact]
    public void OnlyTokensOfTokenChoiceHaveAFirstChoiceToPassWith()
    {
        AssertNamed(nameof(Router.DroppedTokens), () => Router.TokenChoice() with { DroppedTokens = (DroppedTokens)2 });
        Assert.Throws<ArgumentException>(() => Router.Unified() with { DroppedTokens = DroppedTokens.PassThrough });
    }

    [Fact]
    public void PaddingTakesExpertsWhereACapacityLetsItCompete()
    {
        var layout = new SequenceLayout([0, 3], [false, true, true]);
        var router = Router.TokenChoice(1) with { ExpertCapacity = 2, MaskPadding = false };
        RoutingPlan Plan(Router router) => router.CreatePolicy().Route(new float[6], 2, layout, training: false);

        Assert.Equal([0, 1], Plan(router).TokensOf(0));
        Assert.Equal([1, 2], Plan(router with { MaskPadding = true }).TokensOf(0));
        Assert.Equal([1, 2], Plan(router with { ExpertCapacity = null }).TokensOf(0));
    }

    [Theory]
    [InlineData(RouterKind.ExpertChoice)]
    [InlineData(RouterKind.Unified)]
    public void PaddingCompetesWhereItIsNotMasked(RouterKind kind)
    {
        var layout = new SequenceLayout([0, 2], [true, false]);
        RoutingPlan Plan(bool maskPadding) => (Routers.Of(kind) with { MaskPadding = maskPadding })
            .CreatePolicy().Route([0, 0, /**/ 5, 0], 2, layout, training: false);

        Assert.DoesNotContain(1, Plan(maskPadding: true).TokensOf(0).ToArray());
        Assert.Contains(1, Enumerable.Range(0, 2).SelectMany(e => Plan(maskPadding: false).TokensOf(e).ToArray()));
    }

    [Fact]
    public void OnlyRoutersThatNoLaterTokenMattersToAreCausal()
    {
        Router[] causal =
        [
            Router.TokenChoice(), Router.TokenChoice() with { SkipThreshold = 0.3 }, Router.Unified(scope: RoutingScope.Prefix),
            Router.Unified(scope: RoutingScope.TimeStep), Router.ExpertChoice(scope: RoutingScope.TimeStep),
        ];
        Router[] others =
        [
            Router.Unified(), Router.ExpertChoice(), Router.Unified(scope: RoutingScope.Batch), Router.TokenChoice() with { CapacityFactor = 1 },
        ];

        Assert.All(causal, router => Assert.True(router.IsCausal, router.ToString()));
        Assert.All(others, router => Assert.False(router.IsCausal, router.ToString()));
        Assert.All(causal, router => Assert.Equal(router, router.Causal()));
        Assert.All(others.Select(router => router with { AllowsLookahead = true }), router => Assert.Equal(router, router.Causal()));
        // Unified over whole sequences is the one over the tokens so far
        Assert.Equal(causal[2], others[0].Causal());
        Assert.All(others[1..], router => Assert.Contains(
            nameof(Router.AllowsLookahead), Assert.Throws<ArgumentException>(router.Causal).Message, StringComparison.Ordinal));
    }

    [Fact]
    public void APrefixIsOfUnifiedAloneAndHasNoCapacity()
    {
        var prefix = Router.Unified(1.5, scope: RoutingScope.Prefix);
        Assert.Throws<ArgumentException>(() => Router.ExpertChoice(scope: RoutingScope.Prefix));
        Assert.Throws<ArgumentException>(() => Router.TokenChoice() with { Scope = RoutingScope.Prefix });
        Assert.Throws<ArgumentException>(() => prefix with { CapacityFactor = 1 });
        Assert.Throws<ArgumentException>(() => Router.Unified() with { CapacityFactor = 1, Scope = RoutingScope.Prefix });
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertCapacity.FromTokens(new TokenChoice(1, false), 1, RoutingScope.Prefix));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertChoice(1, RoutingScope.Prefix));
    }

    [Fact]
    public void WhatPublishedRoutersHaveReachesThePolicy()
    {
        var groups = new ExpertGroups(4, 2, GroupScore.SumOfTwoLargest);
        var router = Router.TokenChoice(3) with
        {
            ScoreFunction = ScoreFunction.Sigmoid, Groups = groups, SkipThreshold = 0.2, SmallestSum = 1e-20, Jitter = 0.01,
        };

        var policy = Assert.IsType<TokenChoice>(router.CreatePolicy());

        Assert.Equal(
            (ScoreFunction.Sigmoid, groups, 0.2, 1e-20, 0.01),
            (policy.ScoreFunction, policy.Groups, policy.SkipThreshold, policy.SmallestSum, policy.Jitter));
        Assert.Equal(
            new CombineRule(0f, WeightNormalization.Selected) { Score = ScoreFunction.Sigmoid, SmallestSum = 1e-20f }, policy.Weights);
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.1)]
    [InlineData(double.NaN)]
    public void ImpossibleNumbersOfTokenChoiceAreRefusedByName(double value)
    {
        AssertNamed(nameof(Router.SkipThreshold), () => Router.TokenChoice() with { SkipThreshold = value });
        AssertNamed(nameof(Router.SmallestSum), () => Router.TokenChoice() with { SmallestSum = value });
        AssertNamed(nameof(Router.Jitter), () => Router.TokenChoice() with { Jitter = value });
    }

    [Fact]
    public void ItReadsInAFewWords()
    {
        Assert.Equal(
            "TokenChoice, 6 experts per token, Sigmoid, 2 of 4 groups, weights normalised",
            (Router.TokenChoice(6) with { ScoreFunction = ScoreFunction.Sigmoid, Groups = new ExpertGroups(4, 2) }).ToString());
        Assert.Equal(
            "TokenChoice, 2 experts per token, skipping below 0.3 of the first, weights normalised",
            (Router.TokenChoice() with { SkipThreshold = 0.3 }).ToString());
        Assert.Equal("Unified, 2 experts per token, α 0, within Prefix", Router.Unified(2, 0, RoutingScope.Prefix).ToString());
        Assert.Equal("Unified, 1.5 experts per token, α 0.4", Router.Unified(1.5, 0.4).ToString());
        Assert.Equal("TokenChoice, 1 expert per token", Router.TokenChoice(1).ToString());
        Assert.Equal("TokenChoice, 2 experts per token, weights normalised", Router.TokenChoice().ToString());
        Assert.Equal(
            "TokenChoice, 1 expert per token, at most 64 tokens per expert", (Router.TokenChoice(1) with { ExpertCapacity = 64 }).ToString());
        Assert.Equal(
            "ExpertChoice, 2 experts per token, within Batch, capacity factor 1.25",
            (Router.ExpertChoice(scope: RoutingScope.Batch) with { CapacityFactor = 1.25 }).ToString());
    }

    private static ArgumentOutOfRangeException AssertNamed(string setting, Func<Router> create)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(create);
        Assert.Equal(setting, error.ParamName);
        Assert.Contains(setting, error.Message, StringComparison.Ordinal);
        return error;
    }
}
