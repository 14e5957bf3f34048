using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>Token Choice, Expert Choice and Unified at equal budgets, trained from scratch, on clean and corrupted test rows.</summary>
internal sealed class RouterStudy(Arguments arguments, DataFolder folder) : IStudy
{
    private static readonly double[] Budgets = [0.5, 1, 1.5, 2];
    private readonly RouterTraining _training = new(arguments, folder);

    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from data in _training.DataSets
        from k in Budgets
        from arm in ArmsOf(k)
        select _training.Run(data, arm, seed);

    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Token Choice, Expert Choice and Unified at equal budgets, from scratch\n\n");
        text.AppendLine($"Test accuracy in per cent, mean ± standard error of the seeds {Seeds}. {_training.Description}").AppendLine();
        text.AppendLine(
            "Each sequence is a group of its own. Expert Choice rounds each expert's share of a sequence up to whole tokens, as its "
            + "definition says, and Unified rounds the whole budget down, so on short texts Expert Choice computes more than its k says: the measured "
            + "experts per token (of the data sets in the order of the columns) tell how much.").AppendLine();
        foreach (var value in new[] { RouterTraining.Clean, RouterTraining.Corrupted })
            text.AppendLine($"### {char.ToUpperInvariant(value[0])}{value[1..]} test rows\n").AppendLine(AccuracyTable(log, value));
        text.AppendLine("### Unified against the others\n")
            .AppendLine("Difference in points, paired by seed, p by Student's t-test for pairs, uncorrected; \"all\" pairs by data set and seed.\n")
            .Append(DifferenceTable(log));
        return text.ToString();
    }

    private string Seeds => string.Join(", ", arguments.Seeds);

    // Token Choice gives every token the same number of experts, so it exists only for whole k.
    private static IEnumerable<RouterArm> ArmsOf(double k)
    {
        if (k == Math.Floor(k))
            yield return new RouterArm(RouterKind.TokenChoice, k);
        yield return new RouterArm(RouterKind.ExpertChoice, k);
        yield return new RouterArm(RouterKind.Unified, k);
    }

    private string AccuracyTable(RunLog log, string value)
    {
        var table = new MarkdownTable(["k", "router", "experts per token, measured", .. _training.DataSets]);
        foreach (var k in Budgets)
            foreach (var arm in ArmsOf(k))
                table.Add([
                    InvariantText(k),
                    arm.Name,
                    string.Join(" / ", _training.DataSets.Select(data => Budget(arm, data))),
                    .. _training.DataSets.Select(data => SampleOf(arm, data, value).InPercent()),
                ]);
        return table.ToString();

        string Budget(RouterArm arm, string data) =>
            SampleOf(arm, data, RouterTraining.ExpertsPerToken) is { Values.Count: > 0 } measured
                ? measured.Mean.ToString("F2", CultureInfo.InvariantCulture)
                : "–";

        Sample SampleOf(RouterArm arm, string data, string quantity) =>
            new([.. _training.Values(log, [data], new(arm), quantity).Values]);
    }

    private string DifferenceTable(RunLog log)
    {
        var table = new MarkdownTable(["k", "Unified minus", "test rows", .. _training.DataSets, "all"]);
        foreach (var k in Budgets)
        {
            var unified = new RouterArm(RouterKind.Unified, k);
            foreach (var other in ArmsOf(k).Where(arm => arm != unified))
                foreach (var value in new[] { RouterTraining.Clean, RouterTraining.Corrupted })
                    table.Add([
                        InvariantText(k),
                        other.Name,
                        value,
                        .. _training.DataSets.Select(data => Difference([data], unified, other, value)),
                        Difference(_training.DataSets, unified, other, value),
                    ]);
        }

        return table.ToString();

        string Difference(IReadOnlyList<string> data, RouterArm first, RouterArm second, string value) =>
            PairedTest.Of(_training.Values(log, data, new(first), value), _training.Values(log, data, new(second), value)).InPointsWithP();
    }

    private static string InvariantText(double k) => k.ToString(CultureInfo.InvariantCulture);
}
