using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>What is chosen on the device is what the policy chooses on the host.</summary>
public sealed class DeviceRoutingTests : IDisposable
{
    /// <summary>Scores that differ by so little have been rounded apart: exp and sums are not the same everywhere to the last digit.</summary>
    private const double Rounding = 1e-12;

    private readonly TorchEngine _engine = TestDevice.CreateEngine();

    public void Dispose() => _engine.Dispose();

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void PlansAreTheHosts(bool training) => RandomBatch.ForAll(
        batch =>
        {
            foreach (var (name, policy) in Policies.All(batch).Concat(WithPadding(batch)))
                AssertSame(batch, policy, training, Rounding, name);
        },
        count: 100);

    [SkippableFact]
    public void PlansWithoutTiesAreTheHostsExactly() => RandomBatch.ForAll(
        batch =>
        {
            foreach (var (name, policy) in Policies.All(batch))
                AssertSame(batch, policy, training: true, rounding: 0, name);
        },
        RandomBatch.WithoutTies,
        count: 50);

    [SkippableFact]
    public void PlansWithABiasForTheChoiceAreTheHosts() => RandomBatch.ForAll(
        batch =>
        {
            var most = Math.Min(2, batch.Experts);
            float[] biasE = [.. Enumerable.Range(0, batch.Experts).Select(e => MathF.Sin(3 * e))];
            foreach (var function in new[] { ScoreFunction.Softmax, ScoreFunction.Sigmoid })
            {
                foreach (var score in Enum.GetValues<GroupScore>())
                {
                    foreach (var groups in new[] { null, new ExpertGroups(1, 1, score), new ExpertGroups(batch.Experts, most, score) })
                    {
                        var policy = new TokenChoice(most, true) { ScoreFunction = function, Groups = groups };
                        var expected = policy.PlanOf(batch.LogitsTE, biasE, batch.Experts, batch.Layout, training: false);
                        using var tape = _engine.BeginTape(training: false);
                        var logits = tape.Constant(batch.LogitsTE, batch.Layout.Tokens, batch.Experts);
                        var actual = tape.Route(logits, policy, batch.Layout, tape.Constant(biasE, batch.Experts));
                        Assert.Equal(batch.Pairs(expected), batch.Pairs(actual));
                    }
                }
            }
        },
        RandomBatch.WithoutTies,
        count: 50);

    [SkippableTheory]
    [InlineData(0f)]
    [InlineData(80f)]
    [InlineData(-80f)]
    [InlineData(0.3f)]
    public void TiesOfEqualTokensGoToTheLowerNumbers(float logit)
    {
        // Long enough for vectors and what is left over, and for more than one block of a sort.
        foreach (var tokens in new[] { 1, 2, 7, 33, 129, 1000 })
        {
            foreach (var experts in new[] { 2, 5, 8 })
            {
                var logits = new float[tokens * experts];
                for (var i = 0; i < logits.Length; i++)
                    logits[i] = i % experts == 1 ? logit : 0f;
                foreach (var budget in new[] { 0.3, 1.5, experts })
                {
                    var batch = new RandomBatch(logits, experts, new SequenceLayout([0, tokens / 2, tokens / 2, tokens]), budget, 0.7);
                    foreach (var (name, policy) in Policies.Plain(batch))
                        AssertSame(batch, policy, training: true, rounding: 0, $"{name}, {batch}");
                }
            }
        }
    }

    [SkippableFact]
    public void PaddingAloneGivesNoPairs()
    {
        var batch = new RandomBatch([1, 2, 3, 4], 2, new SequenceLayout([0, 0, 2], [false, false]), 1, 0.5);
        foreach (var (name, policy) in Policies.All(batch))
            AssertSame(batch, policy, training: true, rounding: 0, name);
    }

    [SkippableFact]
    public void TokensWhoseEntropyIsTheThresholdItselfAreUncertain()
    {
        var random = TestNumbers.Normal(1, 9 * 7);
        for (var token = 0; token < 9; token++)
        {
            var batch = new RandomBatch(random, 7, new SequenceLayout([0, 9]), 1, 0.5);
            var threshold = RouterEntropy.Of(batch.Logits(token));
            AssertSame(batch, new GlobalWorkspace(new TokenChoice(2, true), threshold), training: true, rounding: 0, $"{token}");
        }
    }

    [SkippableFact]
    public void MoreExpertsThanThereAreAreRefused()
    {
        using var tape = _engine.BeginTape(training: false);
        var logits = tape.Constant([1, 2], 1, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Route(logits, new TokenChoice(3, true), new SequenceLayout([0, 1])));
        Assert.Throws<ArgumentException>(() => tape.Route(logits, new TokenChoice(1, true), new SequenceLayout([0, 2])));
    }

    [SkippableFact]
    public void PoliciesThatChooseOnTheHostStillDo()
    {
        var choice = new TokenChoice(1, true);
        RoutingPolicy[] policies =
        [
            ExpertCapacity.FromTokens(choice, 1),
            new RandomExperts(choice, 0),
            new GlobalWorkspace(choice, 0, 1, tokens: GlobalWorkspaceTokens.Random),
            new GlobalWorkspace(ExpertCapacity.FromTokens(choice, 1), 0.1),
            new GlobalWorkspace(new GlobalWorkspace(choice, 0.1), 100),
        ];
        var batch = new RandomBatch([1, 2, 0, 0, 3, 1], 2, new SequenceLayout([0, 3]), 1, 0.5);
        foreach (var policy in policies)
            AssertSame(batch, policy, training: true, rounding: 0, policy.GetType().Name);
    }

    [SkippableFact]
    public void WhatWasAskedForStaysAndWhatWasNotIsGoneWithTheTape()
    {
        RoutingPlan asked, notAsked;
        using (var tape = _engine.BeginTape(training: true))
        {
            var logits = tape.Constant([1, 2, 4, 3], 2, 2);
            asked = tape.Route(logits, new TokenChoice(1, true), new SequenceLayout([0, 2]));
            notAsked = tape.Route(logits, new TokenChoice(1, true), new SequenceLayout([0, 2]));
            Assert.Equal([1], asked.TokensOf(0));
        }

        Assert.Equal([0], asked.TokensOf(1));
        Assert.Equal([1], asked.TokensOf(0));
        Assert.Equal((2, 2, 2), (notAsked.Tokens, notAsked.Experts, notAsked.Pairs));
        var error = Assert.Throws<ObjectDisposedException>(() => notAsked.TokensOf(0).ToArray());
        Assert.Contains("before", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void PlanOfOneTapeServesAnother()
    {
        using var first = _engine.BeginTape(training: true);
        using var second = _engine.BeginTape(training: true);
        var plan = first.Route(first.Constant([1, 2, 4, 3], 2, 2), new Unified(1), new SequenceLayout([0, 2]));
        var expected = first.CombineWeights(first.Constant([1, 2, 4, 3], 2, 2), plan).ToArray();
        Assert.Equal(expected, second.CombineWeights(second.Constant([1, 2, 4, 3], 2, 2), plan).ToArray());
    }

    private static IEnumerable<(string Name, RoutingPolicy Policy)> WithPadding(RandomBatch batch)
    {
        foreach (var scope in Enum.GetValues<RoutingScope>())
        {
            if (scope != RoutingScope.Prefix)
                yield return ($"Expert Choice with padding, {scope}", new ExpertChoice(batch.Budget, scope, maskPadding: false));
            var unified = new Unified(batch.Budget, batch.Alpha, scope, WeightNormalization.All, maskPadding: false);
            yield return ($"Unified with padding, {scope}", unified);
        }
    }

    private void AssertSame(RandomBatch batch, RoutingPolicy policy, bool training, double rounding, string name)
    {
        var expected = batch.Route(policy, training);
        using var tape = _engine.BeginTape(training);
        var copies = DeviceMemory.CopiesToHost;
        var actual = tape.Route(tape.Constant(batch.LogitsTE, batch.Layout.Tokens, batch.Experts), policy, batch.Layout);
        Assert.True(DeviceMemory.CopiesToHost - copies <= 1, name);
        Assert.Equal(
            (expected.Tokens, expected.Experts, expected.Pairs, expected.Weights, expected.DroppedPairs),
            (actual.Tokens, actual.Experts, actual.Pairs, actual.Weights, actual.DroppedPairs));
        Assert.True(Enumerable.Range(0, expected.Tokens).All(token => expected.IsBroadcast(token) == actual.IsBroadcast(token)), name);
        if (expected.ExpertOffsets.SequenceEqual(actual.ExpertOffsets) && expected.PairTokens.SequenceEqual(actual.PairTokens))
            return;

        Assert.True(rounding > 0, name);
        for (var expert = 0; expert < batch.Experts; expert++)
            Assert.Equal(actual.TokensOf(expert).ToArray().Order().Distinct(), actual.TokensOf(expert).ToArray());
        var scores = batch.Scores(expected.Weights.Alpha);
        var (onHost, onDevice) = (batch.Pairs(expected), batch.Pairs(actual));
        var differences = Scores(onHost.Except(onDevice)).Zip(Scores(onDevice.Except(onHost)), (x, y) => Math.Abs(x - y));
        Assert.True(differences.All(difference => difference <= rounding), name);

        IEnumerable<double> Scores(IEnumerable<int> pairs) => pairs.Select(pair => scores[pair]).Order();
    }
}
