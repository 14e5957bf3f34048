using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>What accuracy Unified keeps with 14 % fewer expert FLOPs than Token Choice, k = 2.</summary>
internal sealed class FlopsStudy(Arguments arguments, DataFolder folder) : IStudy
{
    private static readonly RouterArm[] FromScratch =
        [RouterTraining.TokenChoice, RouterTraining.Cheaper with { ExpertsPerToken = 2 }, RouterTraining.Cheaper];

    private static readonly RouterVariant Reference = new(RouterTraining.TokenChoice);

    private readonly RouterTraining _training = new(arguments, folder);

    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from data in _training.DataSets
        from arm in FromScratch
        select _training.Run(data, arm, seed);

    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Unified at 14 % fewer expert FLOPs than Token Choice, k = 2\n\n");
        text.AppendLine(
            $"Test accuracy in per cent, mean ± standard error of the seeds {string.Join(", ", arguments.Seeds)}; in brackets the "
            + "difference to Token Choice, k = 2, in points, and for all data sets together with p of Student's t-test for pairs. FLOPs as "
            + "measured, relative to Token Choice, k = 2: a sequence's budget is rounded down to whole pairs. \"Training-free\" puts "
            + "Unified in the place of the Token Choice that the model was trained with; \"normalised\" divides a token's weights by "
            + $"their sum over all experts. {_training.Description}").AppendLine();
        foreach (var value in new[] { RouterTraining.Clean, RouterTraining.Corrupted })
            text.AppendLine($"### {char.ToUpperInvariant(value[0])}{value[1..]} test rows\n").AppendLine(Table(log, value));
        return text.ToString();
    }

    private string Table(RunLog log, string value)
    {
        var table = new MarkdownTable(["router", "expert FLOPs", "all FLOPs", .. _training.DataSets, "all: difference"]);
        foreach (var variant in FromScratch.Select(arm => new RouterVariant(arm)).Concat(RouterTraining.TrainingFree))
            table.Add([
                variant.Name,
                Relative(log, variant, RouterTraining.ExpertsPerToken),
                Relative(log, variant, RouterTraining.FlopsPerRow),
                .. _training.DataSets.Select(data => Accuracy(log, data, variant, value)),
                variant == Reference ? "" : Difference(log, _training.DataSets, variant, value).InPointsWithP(),
            ]);
        return table.ToString();
    }

    private string Accuracy(RunLog log, string data, RouterVariant variant, string value)
    {
        var accuracy = new Sample([.. _training.Values(log, [data], variant, value).Values]).InPercent();
        return variant == Reference ? accuracy : $"{accuracy} ({Difference(log, [data], variant, value).InPoints()})";
    }

    private PairedTest Difference(RunLog log, IReadOnlyList<string> dataSets, RouterVariant variant, string value) =>
        PairedTest.Of(_training.Values(log, dataSets, variant, value), _training.Values(log, dataSets, Reference, value));

    // Mean over data sets and seeds of the ratio to the reference.
    private string Relative(RunLog log, RouterVariant variant, string value)
    {
        var reference = _training.Values(log, _training.DataSets, Reference, value);
        double[] ratios =
        [
            .. _training.Values(log, _training.DataSets, variant, value)
                .Where(v => reference.ContainsKey(v.Key))
                .Select(v => v.Value / reference[v.Key]),
        ];
        return ratios.Length == 0 ? "–" : ratios.Average().ToString("F3", CultureInfo.InvariantCulture);
    }
}
