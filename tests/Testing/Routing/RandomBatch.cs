using FsCheck;
using FsCheck.Fluent;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Router logits of a batch of chance size, with settings of chance for a policy.</summary>
public sealed record RandomBatch(float[] LogitsTE, int Experts, SequenceLayout Layout, double Budget, double Alpha)
{
    /// <summary>Checks that something holds for many batches, always the same ones.</summary>
    /// <param name="assert">Throws where it does not.</param>
    /// <param name="batches">Which batches; null for all kinds.</param>
    /// <param name="count">How many.</param>
    public static void ForAll(Action<RandomBatch> assert, Gen<RandomBatch>? batches = null, int count = 150) =>
        Prop.ForAll(Arb.From(batches ?? Any), assert).Check(Config.QuickThrowOnFailure.WithReplay(20240618, 1).WithMaxTest(count));

    /// <summary>From one token and two experts; ties, extremes, padding at the end or anywhere, sequences without tokens.</summary>
    public static Gen<RandomBatch> Any { get; } = Batches(
        from sequences in Gen.Choose(1, 5)
        from lengths in Gen.ArrayOf(Gen.Choose(0, 8), sequences)
        where lengths.Sum() > 0
        select lengths,
        Gen.Choose(2, 9),
        LogitsOf);

    /// <summary>The same without equal logits, so that no tie has to be broken.</summary>
    public static Gen<RandomBatch> WithoutTies { get; } = Batches(
        from sequences in Gen.Choose(1, 5)
        from lengths in Gen.ArrayOf(Gen.Choose(1, 8), sequences)
        select lengths,
        Gen.Choose(2, 9),
        count => Gen.Shuffle([.. Enumerable.Range(0, count).Select(i => (i - count / 2) * 0.01f)]));

    /// <summary>One sequence so small that every choice of pairs can be tried.</summary>
    public static Gen<RandomBatch> Tiny { get; } = Batches(Gen.Choose(1, 4).Select(length => new[] { length }), Gen.Choose(2, 3), LogitsOf);

    /// <summary>Router probabilities, [T, E].</summary>
    public double[] Probabilities => Scores(0);

    /// <summary>Logits of one token.</summary>
    public float[] Logits(int token) => LogitsTE[(token * Experts)..((token + 1) * Experts)];

    /// <summary>Tokens, not padding.</summary>
    public IEnumerable<int> RealTokens => Enumerable.Range(0, Layout.Tokens).Where(Layout.IsToken);

    /// <summary>Tokens of a sequence, not padding.</summary>
    public IEnumerable<int> RealTokensOf(int sequence) =>
        RealTokens.Where(token => token >= Layout.Offsets[sequence] && token < Layout.Offsets[sequence + 1]);

    /// <summary>Whether all padding stands behind the tokens of its sequence.</summary>
    public bool IsPaddedAtTheEnd => Enumerable.Range(0, Layout.Sequences).All(s =>
        RealTokensOf(s).SequenceEqual(Enumerable.Range(Layout.Offsets[s], RealTokensOf(s).Count())));

    /// <summary>Unified scores, [T, E].</summary>
    public double[] Scores(double alpha)
    {
        var scores = new double[LogitsTE.Length];
        for (var t = 0; t < Layout.Tokens; t++)
            RouterScores.Unified(LogitsTE.AsSpan(t * Experts, Experts), alpha, scores.AsSpan(t * Experts, Experts));
        return scores;
    }

    /// <summary>What a policy makes of the batch.</summary>
    public RoutingPlan Route(RoutingPolicy policy, bool training = true) => policy.Route(LogitsTE, Experts, Layout, training);

    /// <summary>Numbers t·E + e of a plan's pairs, ascending.</summary>
    public int[] Pairs(RoutingPlan plan)
    {
        var pairs = Enumerable.Range(0, Experts).SelectMany(e => plan.TokensOf(e).ToArray().Select(t => t * Experts + e)).Order().ToArray();
        Assert.Equal(plan.Pairs, pairs.Length);
        return pairs;
    }

    /// <summary>The groups of tokens that compete, padding left out.</summary>
    public int[][] Groups(RoutingScope scope) => scope switch
    {
        RoutingScope.Sequence => [.. Enumerable.Range(0, Layout.Sequences).Select(s => RealTokensOf(s).ToArray())],
        RoutingScope.TimeStep => [.. RealTokens.GroupBy(PositionOf).Select(g => g.ToArray())],
        _ => [[.. RealTokens]],
    };

    /// <summary>The tokens in another order, or some of them.</summary>
    /// <param name="rows">For each new token its old number; tokens of one sequence stay together.</param>
    /// <param name="masked">Whether the mask is taken along.</param>
    public RandomBatch Take(int[] rows, bool masked)
    {
        var offsets = Enumerable.Range(0, Layout.Sequences + 1).Select(s => rows.Count(t => t < Layout.Offsets[s])).ToArray();
        return this with
        {
            LogitsTE = [.. rows.SelectMany(Logits)],
            Layout = new SequenceLayout(offsets, masked ? [.. rows.Select(Layout.IsToken)] : null),
        };
    }

    public override string ToString() =>
        $"E = {Experts}, k = {Budget}, alpha = {Alpha}, offsets = [{string.Join(", ", Layout.Offsets.ToArray())}], "
        + $"mask = [{string.Join(", ", Layout.Mask.ToArray())}], logits = [{string.Join(", ", LogitsTE)}]";

    private int PositionOf(int token) =>
        Enumerable.Range(0, Layout.Sequences).Where(s => token >= Layout.Offsets[s]).Min(s => token - Layout.Offsets[s]);

    private static Gen<float[]> LogitsOf(int count) => Gen.OneOf(
        Gen.ArrayOf(Gen.Choose(-3000, 3000).Select(i => i / 1000f), count),
        Gen.ArrayOf(Gen.Choose(-2, 2).Select(i => (float)i), count),
        Gen.ArrayOf(Gen.Elements(-80f, 0f, 80f), count),
        Gen.ArrayOf(Gen.Choose(-80, 80).Select(i => (float)i), count));

    private static Gen<bool[]?> Masks(int[] lengths) => Gen.OneOf(
        Gen.Constant<bool[]?>(null),
        Gen.ArrayOf(Gen.Choose(0, 2), lengths.Length)
            .Select(padding => (bool[]?)[.. lengths.SelectMany((length, s) => Enumerable.Range(0, length).Select(i => i < length - padding[s]))]),
        Gen.ArrayOf(Gen.Choose(0, 2), lengths.Sum()).Select(kinds => (bool[]?)[.. kinds.Select(kind => kind > 0)]));

    private static Gen<RandomBatch> Batches(Gen<int[]> sizes, Gen<int> expertCounts, Func<int, Gen<float[]>> logitsOf) =>
        from lengths in sizes
        from experts in expertCounts
        from logits in logitsOf(lengths.Sum() * experts)
        from mask in Masks(lengths)
        from budget in Gen.Elements(0.1, 0.3, 0.5, 1, 1.5, 2, 20)
        from alpha in Gen.Elements(0, 0.3, 0.5, 0.7, 1)
        select new RandomBatch(
            logits,
            experts,
            new SequenceLayout([0, .. lengths.Select((_, s) => lengths.Take(s + 1).Sum())], mask),
            budget,
            alpha);
}
