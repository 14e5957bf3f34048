using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>
/// GW-MoE (arXiv 2406.12375) as the paper has it: a pretrained Switch-like encoder–decoder that learns to write classes as text, with broadcast of
/// uncertain tokens against none and random tokens, at several thresholds, and random experts for uncertain tokens (its figure 1).
/// </summary>
internal sealed class TextToTextStudy(Arguments arguments, DataFolder folder) : IStudy
{
    private const double HighThreshold = 0.95;

    private static readonly FineTuningArm[] Arms =
    [
        FineTuningArm.Standard,
        FineTuningArm.Uncertain,
        FineTuningArm.UncertainFifth,
        FineTuningArm.RandomFifth,
        FineTuningArm.WithThreshold(HighThreshold),
    ];

    private static readonly (FineTuningArm First, FineTuningArm Second)[] Comparisons =
    [
        (FineTuningArm.Uncertain, FineTuningArm.Standard),
        (FineTuningArm.WithThreshold(HighThreshold), FineTuningArm.Standard),
        (FineTuningArm.UncertainFifth, FineTuningArm.Standard),
        (FineTuningArm.UncertainFifth, FineTuningArm.RandomFifth),
    ];

    private readonly TextFineTuning _tuning = new(arguments, folder);

    /// <inheritdoc/>
    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from task in TextTask.All
        from arm in Arms
        select _tuning.Run(task, arm, seed);

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var text = new StringBuilder("## GW-MoE on a pretrained encoder–decoder, classes as text\n\n");
        text.AppendLine(TextFineTuning.Description + "\n");
        var accuracies = new MarkdownTable(["broadcast while fine-tuning", .. TextTask.All.Select(task => task.ToString()), "uncertain tokens, %"]);
        foreach (var arm in Arms)
        {
            accuracies.Add([
                arm.Name,
                .. TextTask.All.Select(task => SampleOf(log, [task], arm, TextFineTuning.Accuracy).InPercent()),
                SampleOf(log, TextTask.All, arm, TextFineTuning.UncertainShare).InPercent(),
            ]);
        }

        text.Append(accuracies).AppendLine();
        var differences = new MarkdownTable(["points, first minus second", .. TextTask.All.Select(task => task.ToString()), "both"]);
        foreach (var (first, second) in Comparisons)
        {
            differences.Add([
                $"{first} − {second}",
                .. TextTask.All.Select(task => Difference(log, [task], first, second)),
                Difference(log, TextTask.All, first, second),
            ]);
        }

        text.Append(differences).AppendLine();
        text.AppendLine(
            CultureInfo.InvariantCulture, $"Standard models, with experts drawn at random at H* = {FineTuningArm.PaperThreshold} ln N:\n");
        var random = new MarkdownTable("task", "own experts", "random for uncertain", "random for as many", "uncertain − as many");
        foreach (var task in TextTask.All)
        {
            var (uncertain, arbitrary) = (
                TextFineTuning.RandomExpertsAccuracy(GlobalWorkspaceTokens.Uncertain),
                TextFineTuning.RandomExpertsAccuracy(GlobalWorkspaceTokens.Random));
            random.Add(
                task.ToString(),
                SampleOf(log, [task], FineTuningArm.Standard, TextFineTuning.Accuracy).InPercent(),
                SampleOf(log, [task], FineTuningArm.Standard, uncertain).InPercent(),
                SampleOf(log, [task], FineTuningArm.Standard, arbitrary).InPercent(),
                PairedTest.Of(
                    _tuning.Values(log, [task], FineTuningArm.Standard, uncertain),
                    _tuning.Values(log, [task], FineTuningArm.Standard, arbitrary)).InPointsWithP());
        }

        return text.Append(random).ToString();
    }

    private Sample SampleOf(RunLog log, IEnumerable<TextTask> tasks, FineTuningArm arm, string value) =>
        new([.. _tuning.Values(log, tasks, arm, value).Values]);

    private string Difference(RunLog log, IReadOnlyList<TextTask> tasks, FineTuningArm first, FineTuningArm second) => PairedTest.Of(
        _tuning.Values(log, tasks, first, TextFineTuning.Accuracy), _tuning.Values(log, tasks, second, TextFineTuning.Accuracy)).InPointsWithP();
}
