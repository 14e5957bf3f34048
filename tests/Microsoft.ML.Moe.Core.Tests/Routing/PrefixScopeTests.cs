using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>USMoE for models that write: a pair is selected when its score is among the ⌊(t + 1)·k⌋ largest of its sequence so far.</summary>
public class PrefixScopeTests
{
    [Fact]
    public void SelectsWhatADoubleLoopSelects() => RandomBatch.ForAll(batch =>
    {
        var scores = batch.Scores(batch.Alpha);
        var expected = new List<int>();
        for (var sequence = 0; sequence < batch.Layout.Sequences; sequence++)
        {
            int[] tokens = [.. batch.RealTokensOf(sequence)];
            for (var t = 0; t < tokens.Length; t++)
            {
                var count = (int)Math.Floor(Math.Round((t + 1) * batch.Budget, 9));
                var entries = tokens.Take(t + 1).SelectMany(token => Enumerable.Range(token * batch.Experts, batch.Experts)).ToList();
                for (var i = tokens[t] * batch.Experts; i < (tokens[t] + 1) * batch.Experts; i++)
                    if (entries.Count(other => scores[other] > scores[i] || (scores[other] == scores[i] && other < i)) < count)
                        expected.Add(i);
            }
        }

        Assert.Equal(expected, batch.Pairs(batch.Route(Prefix(batch))));
    });

    [Fact]
    public void InPiecesItSelectsWhatItSelectsAtOnce() => RandomBatch.ForAll(batch =>
    {
        var experts = batch.Experts;
        var lengths = Lengths(batch);
        var whole = batch with { Layout = new SequenceLayout(batch.Layout.Offsets.ToArray()) };
        var expected = whole.Pairs(whole.Route(Prefix(batch)));
        foreach (var piece in new[] { 1, 2, 3 })
        {
            var history = new RoutingHistory(lengths.Length);
            var actual = new List<int>();
            for (var start = 0; start < lengths.Max(); start += piece)
            {
                // sequences that have ended add nothing
                var rows = Enumerable.Range(0, lengths.Length).Select(s => Enumerable
                    .Range(batch.Layout.Offsets[s] + Math.Min(start, lengths[s]), Math.Clamp(lengths[s] - start, 0, piece)).ToArray()).ToArray();
                actual.AddRange(Route(batch, rows, Prefix(batch).After(history)));
            }

            Assert.Equal(expected, actual.Order());
        }
    });

    [Fact]
    public void BeamsGoOnWithTheHistoryOfTheirSource() => RandomBatch.ForAll(batch =>
    {
        // two sequences of one random batch's tokens; then both go on as the second
        var tokens = batch.Layout.Tokens / 2;
        if (tokens < 2)
            return;
        var history = new RoutingHistory(2);
        int[][] rows = [[.. Enumerable.Range(0, tokens - 1)], [.. Enumerable.Range(tokens, tokens - 1)]];
        Route(batch, rows, Prefix(batch).After(history));

        history.Reorder([1, 1]);

        foreach (var last in new[] { tokens - 1, 2 * tokens - 1 })
        {
            var copy = new RoutingHistory(1);
            Route(batch, [rows[1]], Prefix(batch).After(copy));
            var expected = Route(batch, [[last]], Prefix(batch).After(copy));
            var sequence = last == tokens - 1 ? 0 : 1;
            int[][] next = sequence == 0 ? [[last], []] : [[], [last]];
            Assert.Equal(expected, Route(batch, next, Prefix(batch).After(history)));
        }
    });

    [Fact]
    public void TokensThatAreTakenBackNeverWere() => RandomBatch.ForAll(batch =>
    {
        var tokens = batch.Layout.Tokens;
        var (history, untouched) = (new RoutingHistory(1), new RoutingHistory(1));
        var stay = tokens / 2;
        Route(batch, [[.. Enumerable.Range(0, tokens)]], Prefix(batch).After(history));
        Route(batch, [[.. Enumerable.Range(0, stay)]], Prefix(batch).After(untouched));

        history.Truncate(0, stay);

        Assert.Equal(stay, history[0].Length);
        int[][] rest = [[.. Enumerable.Range(stay, tokens - stay)]];
        Assert.Equal(Route(batch, rest, Prefix(batch).After(untouched)), Route(batch, rest, Prefix(batch).After(history)));
        Assert.Throws<ArgumentOutOfRangeException>(() => history.Truncate(0, tokens + 1));
    });

    [Fact]
    public void NoLaterTokenMatters() => RandomBatch.ForAll(batch =>
    {
        var policy = Prefix(batch);
        var pairs = batch.Pairs(batch.Route(policy));
        var last = batch.Layout.Offsets[^1] - 1;
        var changed = batch with { LogitsTE = [.. batch.LogitsTE.Select((l, i) => i / batch.Experts == last ? 5 - 3 * l : l)] };

        Assert.Equal(pairs.Where(i => i / batch.Experts != last), changed.Pairs(changed.Route(policy)).Where(i => i / batch.Experts != last));
    });

    [Fact]
    public void TheFirstTokenChoosesLikeTokenChoice() => RandomBatch.ForAll(batch =>
    {
        var k = 1 + (int)batch.Budget % batch.Experts;
        var one = new SequenceLayout([0, 1]);
        var prefix = new Unified(k, batch.Alpha, RoutingScope.Prefix).Route(batch.Logits(0), batch.Experts, one, training: false);
        var tokenChoice = new TokenChoice(k, normalizeWeights: false).Route(batch.Logits(0), batch.Experts, one, training: false);

        Assert.Equal(batch.Pairs(tokenChoice), batch.Pairs(prefix));
    }, RandomBatch.WithoutTies);

    [Fact]
    public void TheNumberOfPairsIsNearTheBudget()
    {
        var (tokens, experts) = (2000, 8);
        var random = new Random(5);
        float[] logits = [.. Enumerable.Range(0, tokens * experts).Select(_ => (float)(4 * random.NextDouble()))];

        var plan = new Unified(1.5, 0.5, RoutingScope.Prefix).Route(logits, experts, new SequenceLayout([0, tokens]), training: false);

        Assert.InRange(plan.Pairs, 0.95 * 1.5 * tokens, 1.05 * 1.5 * tokens);
    }

    [Fact]
    public void AHistoryIsOfItsSequencesAndExperts()
    {
        var policy = new Unified(1, 0.5, RoutingScope.Prefix).After(new RoutingHistory(1));
        policy.Route([1, 2], 2, new SequenceLayout([0, 1]), training: false);

        Assert.Throws<ArgumentException>(() => policy.Route([1, 2, 3], 3, new SequenceLayout([0, 1]), training: false));
        Assert.Throws<ArgumentException>(() => policy.Route([1, 2, 3, 4], 2, new SequenceLayout([0, 1, 2]), training: false));
        Assert.Throws<ArgumentException>(() => new RoutingHistory(2).Reorder([0]));
    }

    [Fact]
    public void PoliciesAroundItRememberToo()
    {
        var history = new RoutingHistory(1);
        var inner = new Unified(1, 0, RoutingScope.Prefix);
        RoutingPolicy[] policies =
            [new GlobalWorkspace(inner, 5), new RandomExperts(inner, 5), ExpertCapacity.FromTokens(inner, 100)];
        foreach (var (number, policy) in policies.Index())
        {
            policy.After(history).Route([1, 2], 2, new SequenceLayout([0, 1]), training: false);
            Assert.Equal(number + 1, history[0].Length);
        }

        var tokenChoice = new GlobalWorkspace(new TokenChoice(1, false), 5);
        Assert.Same(tokenChoice, tokenChoice.After(history));
    }

    private static Unified Prefix(RandomBatch batch) => new(batch.Budget, batch.Alpha, RoutingScope.Prefix);

    private static int[] Lengths(RandomBatch batch) =>
        [.. Enumerable.Range(0, batch.Layout.Sequences).Select(s => batch.Layout.Offsets[s + 1] - batch.Layout.Offsets[s])];

    /// <summary>Numbers t·E + e of the pairs of some tokens, t being their rows in the batch.</summary>
    private static List<int> Route(RandomBatch batch, int[][] rowsOfSequence, RoutingPolicy policy)
    {
        int[] rows = [.. rowsOfSequence.SelectMany(r => r)];
        int[] offsets = [0, .. rowsOfSequence.Select((_, s) => rowsOfSequence.Take(s + 1).Sum(r => r.Length))];
        var plan = policy.Route([.. rows.SelectMany(batch.Logits)], batch.Experts, new SequenceLayout(offsets), training: false);
        return [.. batch.Pairs(plan).Select(i => rows[i / batch.Experts] * batch.Experts + i % batch.Experts)];
    }
}
