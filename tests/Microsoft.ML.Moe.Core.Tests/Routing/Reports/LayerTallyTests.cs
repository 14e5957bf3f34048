using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing.Reports;

/// <summary>Plans and logits that are known, and numbers that follow from them by hand.</summary>
public sealed class LayerTallyTests : IDisposable
{
    private static readonly RoutingReportOptions NoSample = new() { SampledTokens = 0, EntropyBins = 4 };
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void A_known_plan_gives_known_numbers()
    {
        // expert 0 has tokens 0, 1, 2; expert 1 token 1; expert 2 none; token 3 goes nowhere
        var plan = new RoutingPlan(4, [0, 3, 4, 4], [0, 1, 2, 1], default) { DroppedPairs = 2 };
        var report = Tally(plan, Logits([4, 0, 0], [0, 0, 0], [0, 4, 0], [0, 4, 0]), new SequenceLayout([0, 1, 4]), threshold: 1);

        Assert.Equal((4, 4, 2), (report.Tokens, report.Pairs, report.DroppedPairs));
        Assert.Equal(2.0 / 6, report.DroppedShare, 1e-12);
        Assert.Equal([3, 1, 0], report.Load.Select(e => e.Pairs));
        Assert.Equal([0.75, 0.25, 0], report.Load.Select(e => e.ShareOfPairs));
        Assert.Equal([0.75, 0.25, 0], report.Load.Select(e => e.ShareOfTokens));
        Assert.Equal([1, 2, 1, 0], report.TokensByExperts);
        Assert.Equal((0.25, 1), (report.ShareWithoutExpert, report.ExpertsPerToken));

        // mean 4/3, deviations 5/3, −1/3, −4/3: variance (25 + 1 + 16)/27
        Assert.Equal(Math.Sqrt(42.0 / 27) / (4.0 / 3), report.LoadVariation, 1e-12);

        // softmax(4, 0, 0) is (a, b, b) with a = e⁴/(e⁴ + 2); the uniform token prefers expert 0, by the rule for ties
        var a = Math.Exp(4) / (Math.Exp(4) + 2);
        var b = (1 - a) / 2;
        double[] mean = [(a + 1.0 / 3 + 2 * b) / 4, (b + 1.0 / 3 + 2 * a) / 4, (3 * b + 1.0 / 3) / 4];
        Assert.Equal(mean, report.Load.Select(e => e.MeanProbability), (x, y) => Math.Abs(x - y) < 1e-9);
        Assert.Equal(mean.Average(m => (m - 1.0 / 3) * (m - 1.0 / 3)) * 9, report.Importance, 1e-9);
        Assert.Equal(3 * (0.5 * mean[0] + 0.5 * mean[1]), report.LoadBalancing, 1e-9);

        // of expert 0's three tokens one went to expert 1 too; expert 1's only token went to both
        Assert.Equal([[1, 1.0 / 3, 0], [1, 1, 0], [0, 0, 0]], report.CoActivation);
    }

    [Fact]
    public void Entropies_fall_into_bins_and_over_the_threshold()
    {
        float[][] rows = [[0, 0], [9, 0], [0, 0.5f], [0, 2]];
        var entropies = rows.Select(r => RouterEntropy.Of(r)).ToArray();
        var report = Tally(Everywhere(4, 2), Logits(rows), new SequenceLayout([0, 4]), threshold: entropies[2]);

        Assert.Equal(entropies.Average(), report.MeanEntropy, 1e-12);
        Assert.Equal(2, report.UncertainTokens);
        Assert.Equal(0.5, report.UncertainShare);
        var step = Math.Log(2) / 4;
        Assert.All(report.EntropyHistogram.Index(), bin =>
        {
            Assert.Equal(bin.Index * step, bin.Item.From, 1e-12);
            Assert.Equal((bin.Index + 1) * step, bin.Item.To, 1e-12);
        });
        // by a plain loop over bins; the uniform token is in the last, though its entropy falls short of ln 2
        var counts = Enumerable.Range(0, 4).Select(i => (long)entropies.Count(h => h >= i * step && h < (i + 1) * step));
        Assert.Equal(counts, report.EntropyHistogram.Select(bin => bin.Tokens));
        Assert.Equal([0, 0, 0, 2], report.EntropyHistogram.Select(bin => bin.UncertainTokens));
    }

    [Fact]
    public void The_bin_that_the_threshold_lies_in_has_both_kinds()
    {
        var sure = RouterEntropy.Of(0, 3f);
        var report = Tally(Everywhere(2, 2), Logits([0, 3], [0, 2.99f]), new SequenceLayout([0, 2]), threshold: sure + 1e-6);

        var bin = Assert.Single(report.EntropyHistogram, b => b.Tokens > 0);
        Assert.Equal((2, 1), (bin.Tokens, bin.UncertainTokens));
    }

    [Fact]
    public void Uncertain_tokens_are_named_by_their_sequence_and_position()
    {
        float[][] rows = [[0, 0], [9, 0], [0, 0], [0, 0], [9, 0]];
        var tally = new LayerTally(3, 2, 0.5, NoSample);
        using var tape = _engine.BeginTape(training: false);
        var layer = Layer(tape, Everywhere(5, 2), Logits(rows), new SequenceLayout([0, 3, 5]));
        tally.Add(layer, (sequence, position) => $"{sequence}:{position}");
        tally.Add(layer, (sequence, position) => position == 0 ? "0:0" : "else");

        var report = tally.Build(_engine);
        Assert.Equal(3, report.Block);
        // the first batch adds 0:0, 0:2, 1:0, the second 0:0, else, 0:0
        Assert.Equal(
            [new("0:0", 3, 0.5), new("0:2", 1, 1.0 / 6), new("1:0", 1, 1.0 / 6), new("else", 1, 1.0 / 6)], report.MostUncertainTokens);
    }

    [Fact]
    public void Padding_does_not_count_even_where_it_has_experts()
    {
        var layout = new SequenceLayout([0, 2, 4], [true, true, true, false]);
        var plan = Everywhere(4, 2);
        var report = Tally(plan, Logits([1, 0], [1, 0], [1, 0], [0, 9]), layout, threshold: 0);

        Assert.Equal((3, 6, 3), (report.Tokens, report.Pairs, report.UncertainTokens));
        Assert.Equal([3, 3], report.Load.Select(e => e.Pairs));
        Assert.Equal(2 * (Math.E / (Math.E + 1)), report.LoadBalancing, 1e-6);
        Assert.Equal(3, report.EntropyHistogram.Sum(bin => bin.Tokens));
    }

    [Fact]
    public void A_single_expert_is_never_uncertain_and_in_balance()
    {
        var report = Tally(Everywhere(2, 1), Logits([3], [-3]), new SequenceLayout([0, 2]), threshold: 0);

        Assert.Equal((0, 0, 1), (report.UncertainTokens, report.LoadVariation, report.LoadBalancing));
        Assert.Equal(2, report.EntropyHistogram[0].Tokens);
        Assert.Null(report.MeanOutputSimilarity);
    }

    [Fact]
    public void Nothing_gives_zeros_and_not_nan()
    {
        var report = new LayerTally(0, 3, 1, new RoutingReportOptions()).Build(_engine);

        Assert.All(report.Load, e => Assert.Equal(new ExpertLoad(0, 0, 0, 0), e));
        Assert.Equal((0, 0, 0, 0), (report.MeanEntropy, report.LoadVariation, report.Importance, report.LoadBalancing));
        Assert.Equal((0, 0, 0), (report.UncertainShare, report.ShareWithoutExpert, report.DroppedShare));
        Assert.All(report.CoActivation, row => Assert.All(row, share => Assert.Equal(0, share)));
        Assert.Null(report.OutputSimilarity);
        Assert.Null(report.MeanOutputSimilarity);
    }

    private static RoutingPlan Everywhere(int tokens, int experts) => new(
        tokens,
        [.. Enumerable.Range(0, experts + 1).Select(e => e * tokens)],
        [.. Enumerable.Range(0, tokens * experts).Select(i => i % tokens)],
        default);

    private static float[] Logits(params float[][] rows) => [.. rows.SelectMany(row => row)];

    private LayerRoutingReport Tally(RoutingPlan plan, float[] logitsTE, SequenceLayout layout, double threshold)
    {
        var tally = new LayerTally(0, plan.Experts, threshold, NoSample);
        using var tape = _engine.BeginTape(training: false);
        tally.Add(Layer(tape, plan, logitsTE, layout), (_, _) => "token");
        return tally.Build(_engine);
    }

    private static RoutedLayer Layer(Tape tape, RoutingPlan plan, float[] logitsTE, SequenceLayout layout)
    {
        var (t, e) = (plan.Tokens, plan.Experts);
        var experts = new Experts(tape.Constant(new float[e * 4], e, 2, 2), null, tape.Constant(new float[e * 4], e, 2, 2), null, Activation.GeluTanh);
        var xTD = tape.Constant(new float[t * 2], t, 2);
        return new RoutedLayer(0, tape, xTD, tape.Constant(logitsTE, t, e), plan, layout, experts);
    }
}
