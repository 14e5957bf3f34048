using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Routing.Reports;

/// <summary>Reports on a trained model, against plain loops over what an observer sees.</summary>
public sealed class ReportRoutingTests : IDisposable
{
    private const int Experts = 3;
    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(RouterKind.TokenChoice, 2)]
    [InlineData(RouterKind.Unified, 0.7)]
    [InlineData(RouterKind.ExpertChoice, 1)]
    public void Every_number_is_that_of_a_plain_loop_over_all_passes(RouterKind kind, double k)
    {
        var classifier = Train(ToyTable.Encoder with { Layers = 4, MoeEvery = 2 })
            .WithRouting(Routers.Of(kind) with { ExpertsPerToken = k });
        var rows = Rows(classifier, 600); // three passes
        var seen = new Recorder(classifier.Input, rows);
        classifier.Score(rows, new float[rows.Count * 3], seen);

        var report = classifier.ReportRouting(rows, new() { UncertainThreshold = 0.9, TopTokens = 5 });

        Assert.Equal((classifier.Router, Experts, 600), (report.Router, report.Experts, report.Rows));
        Assert.Equal(rows.Sum(r => (long)r.Length), report.Tokens);
        Assert.Equal(0.9 * Math.Log(3), report.UncertainThreshold, 1e-12);
        Assert.Equal([1, 3], report.Layers.Select(l => l.Block));
        Assert.All(report.Layers, layer => AssertAgrees(layer, seen.Tokens.Where(t => t.Block == layer.Block).ToList(), report));
    }

    [Fact]
    public void Rows_are_read_once_and_progress_is_told()
    {
        var classifier = Train(ToyTable.Encoder);
        var rows = Rows(classifier, 300);
        var (read, told) = (0, new List<long>());

        var report = classifier.ReportRouting(rows.Select(Count), new() { RowsCompleted = told.Add });

        Assert.Equal((300, 300), (read, report.Rows));
        Assert.Equal([256, 300], told);

        EncodedText Count(EncodedText row)
        {
            read++;
            return row;
        }
    }

    [Fact]
    public void A_table_without_rows_gives_an_empty_report_of_every_layer()
    {
        var report = Train(ToyTable.Encoder with { Layers = 2 }).ReportRouting([]);

        Assert.Equal((0, 0, 2), (report.Rows, report.Tokens, report.Layers.Count));
        Assert.All(report.Layers, layer => Assert.Equal((0, 0), (layer.Tokens, layer.MeanEntropy)));
    }

    [Fact]
    public void Cut_off_tokens_are_counted_and_not_among_the_others()
    {
        var classifier = Train(ToyTable.Encoder);
        var row = classifier.Input.Encode(string.Join(' ', Enumerable.Range(0, 30)));

        var report = classifier.ReportRouting([row, row]);

        Assert.Equal((32, 30), (report.Tokens, report.TokensCutOff));
    }

    [Fact]
    public void Tokens_are_named_as_they_are_read()
    {
        var classifier = Train(ToyTable.Encoder);

        var report = classifier.ReportRouting(
            [classifier.Input.Encode("Rain NOW, now!", "Überall")], new() { UncertainThreshold = 0 });

        Assert.Equal(
            [("[start]", 2), ("now", 2), ("!", 1), (",", 1), ("rain", 1), ("überall", 1)],
            report.Layers[0].MostUncertainTokens.Select(t => (t.Text, t.Count)));
        Assert.Equal(8, report.Layers[0].UncertainTokens);
    }

    [Fact]
    public void Experts_are_compared_on_no_more_tokens_than_asked_for()
    {
        var classifier = Train(ToyTable.Encoder);
        var rows = Rows(classifier, 50);

        var layer = classifier.ReportRouting(rows, new() { SampledTokens = 10 }).Layers[0];
        Assert.Equal(10, layer.SampledTokens);
        Assert.Equal([1, 1, 1], Enumerable.Range(0, 3).Select(i => layer.OutputSimilarity![i][i]));
        Assert.All(layer.OutputSimilarity!, row => Assert.All(row, cosine => Assert.InRange(cosine, -1, 1)));
        var expected = (layer.OutputSimilarity![0][1] + layer.OutputSimilarity[0][2] + layer.OutputSimilarity[1][2]) / 3;
        Assert.Equal(expected, layer.MeanOutputSimilarity!.Value, 1e-12);

        Assert.Null(classifier.ReportRouting(rows, new() { SampledTokens = 0 }).Layers[0].OutputSimilarity);
    }

    [Fact]
    public void Impossible_options_and_models_are_named()
    {
        var classifier = Train(ToyTable.Encoder);
        AssertNamed("UncertainThreshold", new() { UncertainThreshold = double.NaN });
        AssertNamed("EntropyBins", new() { EntropyBins = 0 });
        AssertNamed("TopTokens", new() { TopTokens = -1 });
        AssertNamed("SampledTokens", new() { SampledTokens = -1 });
        Assert.Throws<ArgumentNullException>(() => classifier.ReportRouting(null!));

        var dense = Train(ToyTable.Encoder with { MoeEvery = 0 });
        var report = Assert.Throws<InvalidOperationException>(() => dense.ReportRouting([]));
        Assert.Contains("no MoE layers", report.Message, StringComparison.Ordinal);
        var score = Assert.Throws<InvalidOperationException>(() => dense.Score([], [], []));
        Assert.Contains("no MoE layers", score.Message, StringComparison.Ordinal);

        void AssertNamed(string option, RoutingReportOptions options) =>
            Assert.Equal(option, Assert.Throws<ArgumentOutOfRangeException>(() => classifier.ReportRouting([], options)).ParamName);
    }

    [Fact]
    public void It_can_be_cancelled_between_batches()
    {
        var classifier = Train(ToyTable.Encoder);
        using var cancel = new CancellationTokenSource();
        var told = new List<long>();
        var options = new RoutingReportOptions
        {
            RowsCompleted = rows =>
            {
                told.Add(rows);
                cancel.Cancel();
            },
        };

        Assert.Throws<OperationCanceledException>(() => classifier.ReportRouting(Rows(classifier, 600), options, cancel.Token));
        Assert.Equal([256], told);
    }

    [Fact]
    public void A_row_s_entropies_are_those_of_its_tokens_in_all_layers()
    {
        var classifier = Train(ToyTable.Encoder with { Layers = 2 });
        var rows = Rows(classifier, 300);
        var seen = new Recorder(classifier.Input, rows);
        var (expected, scores, entropies) = (new float[900], new float[900], new RowEntropy[300]);
        classifier.Score(rows, expected, seen);

        classifier.Score(rows, scores, entropies);

        Assert.Equal(expected, scores);
        Assert.All(seen.Tokens.GroupBy(t => t.Row), row =>
        {
            Assert.Equal(2 * rows[row.Key].Length, row.Count());
            Assert.Equal(row.Average(t => t.Entropy), entropies[row.Key].Mean, 1e-6);
            Assert.Equal(row.Max(t => t.Entropy), entropies[row.Key].Max, 1e-6);
        });
        Assert.Equal("entropies", Assert.Throws<ArgumentException>(() => classifier.Score(rows, scores, entropies.AsSpan(1))).ParamName);
    }

    private static void AssertAgrees(LayerRoutingReport layer, List<SeenToken> tokens, RoutingReport report)
    {
        var pairs = tokens.Sum(t => t.Experts.Length);
        Assert.Equal((tokens.Count, pairs, report.Tokens), (layer.Tokens, layer.Pairs, layer.Tokens));
        var balance = 0.0;
        for (var e = 0; e < Experts; e++)
        {
            var load = layer.Load[e];
            var own = tokens.Where(t => t.Experts.Contains(e)).ToList();
            Assert.Equal(own.Count, load.Pairs);
            Assert.Equal((double)own.Count / pairs, load.ShareOfPairs, 1e-12);
            Assert.Equal((double)own.Count / tokens.Count, load.ShareOfTokens, 1e-12);
            Assert.Equal(tokens.Average(t => t.Probabilities[e]), load.MeanProbability, 1e-6);
            for (var other = 0; other < Experts; other++)
            {
                var together = (double)own.Count(t => t.Experts.Contains(other));
                Assert.Equal(own.Count == 0 ? 0 : together / own.Count, layer.CoActivation[e][other], 1e-12);
            }

            balance += 3.0 * tokens.Count(t => Array.IndexOf(t.Probabilities, t.Probabilities.Max()) == e) / tokens.Count
                * tokens.Average(t => t.Probabilities[e]);
        }

        Assert.Equal(balance, layer.LoadBalancing, 1e-6);
        for (var n = 0; n <= Experts; n++)
            Assert.Equal(tokens.Count(t => t.Experts.Length == n), layer.TokensByExperts[n]);
        Assert.Equal(tokens.Average(t => t.Entropy), layer.MeanEntropy, 1e-9);
        var uncertain = tokens.Where(t => t.Entropy >= report.UncertainThreshold).ToList();
        Assert.Equal(uncertain.Count, layer.UncertainTokens);
        Assert.Equal(uncertain.Count, layer.EntropyHistogram.Sum(bin => bin.UncertainTokens));
        Assert.Equal(tokens.Count, layer.EntropyHistogram.Sum(bin => bin.Tokens));
        Assert.Equal(
            uncertain.GroupBy(t => t.Text).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Take(5)
                .Select(g => new UncertainToken(g.Key, g.Count(), (double)g.Count() / uncertain.Count)),
            layer.MostUncertainTokens);
    }

    private Model<EncodedText> Train(EncoderConfig encoder)
    {
        var trainer = new TextClassifierTrainer(ToyTable.Config(1) with { Encoder = encoder }, 3, _engine);
        return trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
    }

    private static List<EncodedText> Rows(Model<EncodedText> classifier, int count) =>
        [.. ToyTable.Encoded(classifier.Input, count, seed: 3).Select(r => r.Input)];

    private sealed record SeenToken(int Block, int Row, string Text, int[] Experts, double[] Probabilities, double Entropy);

    /// <summary>Keeps each token as one value; the rows of a pass follow those of the pass before.</summary>
    private sealed class Recorder(Input<EncodedText> input, List<EncodedText> rows) : IRoutingObserver
    {
        private readonly Dictionary<int, int> _rowsByBlock = [];

        public List<SeenToken> Tokens { get; } = [];

        public void OnRouted(RoutedLayer layer)
        {
            var (logits, first) = (layer.LogitsTE.ToArray(), _rowsByBlock.GetValueOrDefault(layer.Block));
            for (var sequence = 0; sequence < layer.Layout.Sequences; sequence++)
                for (var token = layer.Layout.Offsets[sequence]; token < layer.Layout.Offsets[sequence + 1]; token++)
                {
                    float[] logitsE = logits[(token * Experts)..((token + 1) * Experts)];
                    int[] experts = [.. Enumerable.Range(0, Experts).Where(e => layer.Plan.TokensOf(e).Contains(token))];
                    var text = input.TextOf(rows[first + sequence], token - layer.Layout.Offsets[sequence]);
                    Tokens.Add(new(
                        layer.Block, first + sequence, text, experts, Tests.Tensors.Reference.Softmax(logitsE), RouterEntropy.Of(logitsE)));
                }

            _rowsByBlock[layer.Block] = first + layer.Layout.Sequences;
        }
    }
}
