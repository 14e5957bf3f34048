using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.GeneratorTuning;

/// <summary>
/// The analyses of GW-MoE (arXiv 2406.12375) on a model that writes: shares of uncertain tokens by threshold, layer and stack, which tokens
/// they are, random experts for them, and the loss of models tuned with different thresholds.
/// </summary>
internal sealed class UncertaintyStudy(Arguments arguments, DataFolder folder) : IStudy
{
    private const string Study = "uncertainty";
    private const string Loss = "nats per token";
    private const string Accuracy = "accuracy";
    private const string TokenCount = "times uncertain, ";
    private const int EntropyBins = 100;
    private const int TokensListed = 15;
    private const string LossFormat = "F4";
    private const string SignedLoss = "+0.0000;−0.0000;0.0000";

    private static readonly FineTuningArm[] Arms =
        [FineTuningArm.Standard, .. FineTuning.Thresholds.Select(FineTuningArm.WithThreshold), FineTuningArm.Random, FineTuningArm.All];

    private readonly TunedGenerator _tuning = new(arguments, folder, [DataFolder.Clinc150, DataFolder.MovieSentences]);

    /// <inheritdoc/>
    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from data in _tuning.DataSets
        from arm in Arms
        select new Run(Key(data, arm, seed), (engine, stop) => Execute(data, arm, seed, engine, stop));

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Uncertain tokens of a model that writes (GW-MoE)\n\n");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{_tuning.Description} Routers frozen. Mean ± standard error of the seeds {string.Join(", ", arguments.Seeds)}; differences paired "
            + $"by data set and seed, p by Student's t-test for pairs, uncorrected.").AppendLine();
        text.AppendLine("### Loss against H*\n");
        text.AppendLine("Loss of the test rows in nats per token, by what is broadcast to all experts while tuning.\n");
        text.AppendLine(ThresholdTable(log));
        text.AppendLine("### Accuracy against H*\n");
        text.AppendLine("Share of the test rows whose class is written right, in per cent and points.\n");
        text.AppendLine(AccuracyTable(log));
        text.AppendLine("### Random experts\n");
        text.AppendLine(
            "Loss of the standard arm's models when uncertain tokens, or as many arbitrary ones of each sequence, get random experts.\n");
        text.AppendLine(RandomExpertsTable(log));
        text.AppendLine("### Uncertain tokens by layer\n");
        text.AppendLine("Share of the test rows' tokens with H ≥ H*, standard arm.\n").AppendLine(ShareTable(log));
        text.AppendLine("### Most often uncertain\n");
        text.AppendLine(
            CultureInfo.InvariantCulture, $"H* = {FineTuningArm.PaperThreshold} ln N, standard arm, counts of all layers and seeds.\n");
        return text.Append(TokenTable(log)).ToString();
    }

    private string ThresholdTable(RunLog log)
    {
        var table = new MarkdownTable(["broadcast while tuning", .. _tuning.DataSets, "minus standard, all"]);
        var standard = Values(log, _tuning.DataSets, FineTuningArm.Standard, Loss);
        foreach (var arm in Arms)
            table.Add([
                arm.Name,
                .. _tuning.DataSets.Select(data => SampleOf(log, data, arm, Loss).Format(1, LossFormat, LossFormat)),
                arm == FineTuningArm.Standard
                    ? ""
                    : PairedTest.Of(Values(log, _tuning.DataSets, arm, Loss), standard).WithP(1, SignedLoss, LossFormat),
            ]);
        return table.ToString();
    }

    private string AccuracyTable(RunLog log)
    {
        var table = new MarkdownTable(["broadcast while tuning", .. _tuning.DataSets, "minus standard, all"]);
        var standard = Values(log, _tuning.DataSets, FineTuningArm.Standard, Accuracy);
        foreach (var arm in Arms)
            table.Add([
                arm.Name,
                .. _tuning.DataSets.Select(data => SampleOf(log, data, arm, Accuracy).InPercent()),
                arm == FineTuningArm.Standard
                    ? ""
                    : PairedTest.Of(Values(log, _tuning.DataSets, arm, Accuracy), standard).InPointsWithP(),
            ]);
        return table.ToString();
    }

    private string RandomExpertsTable(RunLog log)
    {
        var table = new MarkdownTable(
            "data", "H* / ln N", "uncertain tokens", "own experts", "random for uncertain", "random for as many", "uncertain − as many");
        foreach (var data in _tuning.DataSets)
            foreach (var threshold in FineTuning.Thresholds)
            {
                var (uncertain, arbitrary) = (AtRandom(threshold, "uncertain"), AtRandom(threshold, "arbitrary"));
                table.Add(
                    data,
                    InvariantText(threshold),
                    Standard(data, FineTuning.UncertainShare(threshold)).InPercent() + " %",
                    Standard(data, Loss).Format(1, LossFormat, LossFormat),
                    Standard(data, uncertain).Format(1, LossFormat, LossFormat),
                    Standard(data, arbitrary).Format(1, LossFormat, LossFormat),
                    PairedTest.Of(
                        Values(log, [data], FineTuningArm.Standard, uncertain),
                        Values(log, [data], FineTuningArm.Standard, arbitrary)).WithP(1, SignedLoss, LossFormat));
            }

        return table.ToString();

        Sample Standard(string data, string value) => SampleOf(log, data, FineTuningArm.Standard, value);
    }

    private string ShareTable(RunLog log)
    {
        var table = new MarkdownTable(["data", "layer", .. FineTuning.Thresholds.Select(InvariantText)]);
        foreach (var data in _tuning.DataSets)
        {
            var layers = Found(log, [data], FineTuningArm.Standard).SelectMany(run => run.Result.Values.Keys)
                .Where(name => name.StartsWith(ShareOfLayer(FineTuning.Thresholds[0], ""), StringComparison.Ordinal))
                .Select(name => name[ShareOfLayer(FineTuning.Thresholds[0], "").Length..]).Distinct();
            foreach (var layer in layers)
                table.Add([
                    data,
                    layer,
                    .. FineTuning.Thresholds.Select(threshold =>
                        SampleOf(log, data, FineTuningArm.Standard, ShareOfLayer(threshold, layer)).InPercent() + " %"),
                ]);
        }

        return table.ToString();
    }

    private string TokenTable(RunLog log)
    {
        var table = new MarkdownTable("data", "stack", "tokens, and how often");
        foreach (var data in _tuning.DataSets)
        {
            var counts = Found(log, [data], FineTuningArm.Standard).SelectMany(run => run.Result.Values)
                .Where(value => value.Key.StartsWith(TokenCount, StringComparison.Ordinal))
                .Select(value => (Parts: value.Key[TokenCount.Length..].Split(": ", 2), value.Value));
            foreach (var stack in counts.GroupBy(count => count.Parts[0]))
            {
                var most = stack.GroupBy(count => count.Parts[1]).Select(text => (Text: text.Key, Count: text.Sum(count => count.Value)))
                    .OrderByDescending(text => text.Count).ThenBy(text => text.Text, StringComparer.Ordinal).Take(TokensListed);
                table.Add(data, stack.Key, string.Join(", ", most.Select(text => $"`{Shown(text.Text)}` {text.Count:F0}")));
            }
        }

        return table.ToString();

        // what would end a cell or a piece of code
        static string Shown(string token) => token.Replace('|', '¦').Replace('`', '´');
    }

    private Dictionary<string, double> Execute(string data, FineTuningArm arm, int seed, Engine engine, CancellationToken stop)
    {
        var (generator, model) = _tuning.Load(engine);
        var values = _tuning.Tune(generator, model, data, RowCorruption.None, (arm.Workspace, FreezesRouter: true), seed, stop);
        values[Loss] = Math.Log(values[TunedGenerator.PerplexityAfter(_tuning.Steps)]);
        values[Accuracy] = _tuning.Accuracy(generator, model, data, stop);
        if (arm == FineTuningArm.Standard)
            Analyse(model, _tuning.Test(generator, data), seed, values, stop);
        return values;
    }

    private static void Analyse(
        Model<EncodedText> model, Example<EncodedText>[] test, int seed, Dictionary<string, double> values, CancellationToken stop)
    {
        var scores = RandomExpertsAnalysis.Run(
            model,
            FineTuning.Thresholds,
            seed,
            (changed, observer) => AnswerScoring.Measure(changed, test.Select(row => (row.Input, Characters: 0)), observer, stop));
        foreach (var score in scores)
        {
            values[FineTuning.UncertainShare(score.Threshold)] = score.UncertainShare;
            values[AtRandom(score.Threshold, "uncertain")] = score.Uncertain.Loss;
            values[AtRandom(score.Threshold, "arbitrary")] = score.Arbitrary.Loss;
        }

        var options = new RoutingReportOptions
        {
            UncertainThreshold = FineTuningArm.PaperThreshold, EntropyBins = EntropyBins, SampledTokens = 0, TopTokens = TokensListed,
        };
        var report = model.ReportRouting(test.Select(row => row.Input), options, stop);
        foreach (var layer in report.Layers)
        {
            var name = $"{StackName(layer.IsDecoder)}block {layer.Block}";
            foreach (var threshold in FineTuning.Thresholds)
                values[ShareOfLayer(threshold, name)] = layer.UncertainShares[(int)Math.Round(threshold * EntropyBins)].Share;
        }

        foreach (var stack in report.Stacks)
            foreach (var token in stack.MostUncertainTokens)
                values[$"{TokenCount}{(report.Stacks.Count == 1 ? "all" : StackName(stack.IsDecoder).TrimEnd())}: {token.Text}"] = token.Count;

        string StackName(bool isDecoder) => model.Head is not DecoderHead ? "" : isDecoder ? "decoder " : "encoder ";
    }

    private static string ShareOfLayer(double threshold, string layer) => $"uncertain at {InvariantText(threshold)} in {layer}";

    private static string AtRandom(double threshold, string tokens) =>
        $"{Loss} with random experts at {InvariantText(threshold)}, {tokens} tokens";

    private static string InvariantText(double threshold) => threshold.ToString(CultureInfo.InvariantCulture);

    private RunKey Key(string data, FineTuningArm arm, int seed) => new(Study, data, arm.Name, seed, _tuning.Settings);

    private IEnumerable<(string Data, int Seed, RunResult Result)> Found(RunLog log, IEnumerable<string> dataSets, FineTuningArm arm) =>
        from data in dataSets
        from seed in arguments.Seeds
        let result = log.Find(Key(data, arm, seed))
        where result is not null
        select (data, seed, result);

    private Dictionary<(string Data, int Seed), double> Values(
        RunLog log, IEnumerable<string> dataSets, FineTuningArm arm, string value) =>
        Found(log, dataSets, arm).Where(run => run.Result.Values.ContainsKey(value))
            .ToDictionary(run => (run.Data, run.Seed), run => run.Result.Values[value]);

    private Sample SampleOf(RunLog log, string data, FineTuningArm arm, string value) =>
        new([.. Values(log, [data], arm, value).Values]);
}
