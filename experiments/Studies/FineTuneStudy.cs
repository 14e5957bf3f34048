using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// GW-MoE (arXiv 2406.12375): fine-tuning with broadcast of uncertain tokens against none, all and random tokens, random
/// experts for uncertain tokens (its figure 1), and accuracy against the threshold (its figure 5).
/// </summary>
internal sealed class FineTuneStudy : IStudy
{
    private static readonly FineTuningTask[] ThresholdTasks = [FineTuning.Smallest, FineTuning.Sentences];

    // Each broadcast of uncertain tokens is held against its control.
    private static readonly (FineTuningArm First, FineTuningArm Second)[] Comparisons =
    [
        .. FineTuningArm.Main.Where(arm => arm != FineTuningArm.Standard).Select(arm => (arm, FineTuningArm.Standard)),
        (FineTuningArm.Uncertain, FineTuningArm.Random),
        (FineTuningArm.UncertainFifth, FineTuningArm.RandomFifth),
    ];

    private readonly Arguments _arguments;
    private readonly Pretraining _pretraining;
    private readonly FineTuning _training;

    public FineTuneStudy(Arguments arguments, DataFolder folder)
    {
        _arguments = arguments;
        _pretraining = new Pretraining(arguments, folder);
        _training = new FineTuning(arguments, folder, _pretraining);
    }

    public IEnumerable<Run> Runs => _arguments.Seeds.SelectMany(RunsOf);

    public void Prepare(CancellationToken stop) => _pretraining.Prepare(stop);

    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Fine-tuning with a global workspace (GW-MoE)\n\n");
        text.AppendLine(
            $"Test accuracy in per cent, mean ± standard error of the seeds {string.Join(", ", _arguments.Seeds)}. "
            + _training.Description);
        text.AppendLine().Append(AccuracyTable(log)).AppendLine();
        text.AppendLine("Differences in points, paired by seed, p by Student's t-test for pairs, uncorrected; \"all\" pairs by task and seed.\n");
        text.Append(DifferenceTable(log)).AppendLine();
        text.AppendLine("### Random experts for uncertain tokens at inference (figure 1 of the paper)\n");
        text.AppendLine(
            "Accuracy of the standard arm's models when uncertain tokens (H ≥ H*), or as many arbitrary tokens of each sequence, get an "
            + "expert drawn at random. If the uncertain tokens' experts did not matter, the first would lose less.\n");
        text.Append(RandomExpertsTable(log)).AppendLine();
        text.AppendLine("### Accuracy against H* (figure 5 of the paper)\n");
        text.AppendLine(
            "Fine-tuning with broadcast of the uncertain tokens; in brackets the share of the test rows' tokens that are uncertain.\n");
        return text.Append(ThresholdTable(log)).ToString();
    }

    private IEnumerable<Run> RunsOf(int seed)
    {
        foreach (var task in FineTuning.Tasks)
        {
            foreach (var arm in FineTuningArm.Main)
                yield return _training.Run(task, arm, seed);
            if (ThresholdTasks.Contains(task))
                foreach (var threshold in FineTuning.Thresholds.Where(t => t != FineTuningArm.PaperThreshold))
                    yield return _training.Run(task, FineTuningArm.WithThreshold(threshold), seed);
        }
    }

    private string AccuracyTable(RunLog log)
    {
        var table = new MarkdownTable(["broadcast while fine-tuning", .. FineTuning.Tasks.Select(task => task.ToString())]);
        foreach (var arm in FineTuningArm.Main)
            table.Add([arm.Name, .. FineTuning.Tasks.Select(task => SampleOf(log, task, arm, FineTuning.Accuracy).InPercent())]);
        return table.ToString();
    }

    private string DifferenceTable(RunLog log)
    {
        var table = new MarkdownTable(["first minus second", .. FineTuning.Tasks.Select(task => task.ToString()), "all"]);
        foreach (var (first, second) in Comparisons)
            table.Add([
                $"{first} − {second}",
                .. FineTuning.Tasks.Select(task => Difference([task], first, second)),
                Difference(FineTuning.Tasks, first, second),
            ]);
        return table.ToString();

        string Difference(IReadOnlyList<FineTuningTask> tasks, FineTuningArm first, FineTuningArm second) =>
            PairedTest.Of(
                _training.Values(log, tasks, first, FineTuning.Accuracy),
                _training.Values(log, tasks, second, FineTuning.Accuracy)).InPointsWithP();
    }

    private string RandomExpertsTable(RunLog log)
    {
        var table = new MarkdownTable(
            ["task", "H* / ln N", "uncertain tokens", "own experts", "random for uncertain", "random for as many", "uncertain − as many"]);
        foreach (var task in FineTuning.Tasks)
            foreach (var threshold in FineTuning.Thresholds)
            {
                var uncertain = FineTuning.RandomExpertsAccuracy(threshold, GlobalWorkspaceTokens.Uncertain);
                var arbitrary = FineTuning.RandomExpertsAccuracy(threshold, GlobalWorkspaceTokens.Random);
                table.Add(
                    task.ToString(),
                    threshold.ToString(CultureInfo.InvariantCulture),
                    Standard(task, FineTuning.UncertainShare(threshold)).InPercent() + " %",
                    Standard(task, FineTuning.Accuracy).InPercent(),
                    Standard(task, uncertain).InPercent(),
                    Standard(task, arbitrary).InPercent(),
                    PairedTest.Of(
                        _training.Values(log, [task], FineTuningArm.Standard, uncertain),
                        _training.Values(log, [task], FineTuningArm.Standard, arbitrary)).InPointsWithP());
            }

        return table.ToString();

        Sample Standard(FineTuningTask task, string value) => SampleOf(log, task, FineTuningArm.Standard, value);
    }

    private string ThresholdTable(RunLog log)
    {
        var table = new MarkdownTable(["H* / ln N", .. ThresholdTasks.Select(task => task.ToString())]);
        table.Add(["0 (all tokens)", .. ThresholdTasks.Select(task => AccuracyOf(task, FineTuningArm.All))]);
        foreach (var threshold in FineTuning.Thresholds)
            table.Add([threshold.ToString(CultureInfo.InvariantCulture), .. ThresholdTasks.Select(task => Cell(task, threshold))]);
        table.Add(["none (standard)", .. ThresholdTasks.Select(task => AccuracyOf(task, FineTuningArm.Standard))]);
        return table.ToString();

        string Cell(FineTuningTask task, double threshold)
        {
            var arm = FineTuningArm.WithThreshold(threshold);
            var share = SampleOf(log, task, arm, FineTuning.UncertainShare(threshold));
            return $"{AccuracyOf(task, arm)} ({share.InPercent()} %)";
        }

        string AccuracyOf(FineTuningTask task, FineTuningArm arm) => SampleOf(log, task, arm, FineTuning.Accuracy).InPercent();
    }

    private Sample SampleOf(RunLog log, FineTuningTask task, FineTuningArm arm, string value) =>
        new([.. _training.Values(log, [task], arm, value).Values]);
}
