using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// What the defaults make of kinds of data that users have, against ML.NET's linear model and against the branches of which they
/// consist.
/// </summary>
internal sealed class LinearStudy(Arguments arguments) : IStudy
{
    private const string MlNet = "ML.NET linear";
    private const string Linear = "linear branch alone";
    private const string Network = "network alone";
    private const string Weighed = "defaults: both, weighed";
    private const string Frozen = "published encoder, frozen";
    private const string Tuned = "published encoder, FineTuning = Auto";
    private static readonly string[] Columns = ["accuracy", "macroAccuracy", "logLoss", "calibrationError"];
    private readonly TextSets _sets = new(arguments.Data, arguments.Rows);
    private readonly ConcurrentDictionary<string, TextSet> _made = [];

    private string[] Arms => arguments.Encoder is null ? [MlNet, Linear, Network, Weighed] : [MlNet, Frozen, Tuned];

    private IEnumerable<string> Names => arguments.Sets ?? _sets.Names;

    /// <inheritdoc/>
    public IEnumerable<Run> Runs =>
        from name in Names
        from seed in arguments.Seeds
        from arm in Arms.Except([Linear, Network])
        where arm != MlNet || seed == arguments.Seeds[0]
        select new Run(Key(name, arm, seed), (engine, stop) => Execute(name, arm, seed, engine, stop));

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Defaults on kinds of data\n\n")
            .Append(CultureInfo.InvariantCulture, $"Means of the seeds {string.Join(", ", arguments.Seeds)}.\n\n");
        string[] columns = arguments.Encoder is null ? Columns : [.. Columns, PublishedRun.FitSeconds];
        var table = new MarkdownTable(
            ["set", "model", "accuracy, %", "macro, %", "log-loss", "calibration error, %", .. columns[Columns.Length..]]);
        foreach (var name in Names)
            foreach (var arm in Arms)
                table.Add([name, arm, .. columns.Select(column => Cell(log, name, arm, column))]);
        return text.Append(table).ToString();
    }

    private string Cell(RunLog log, string name, string arm, string column)
    {
        var (run, prefix) = arm is Linear or Network ? (Weighed, arm + " ") : (arm, "");
        var values = arguments.Seeds.Select(seed => log.Find(Key(name, run, seed))?.Values[prefix + column]).OfType<double>();
        var (scale, format) = column switch
        {
            "logLoss" => (1, "0.000"),
            PublishedRun.FitSeconds => (1, "0"),
            _ => (100, "0.0"),
        };
        return new Sample([.. values]).Format(scale, format);
    }

    private RunKey Key(string name, string arm, int seed) =>
        new(
            "linear",
            name,
            arm,
            seed,
            FormattableString.Invariant($"epochs {arguments.Epochs?.ToString() ?? "by rule"}, rows {arguments.Rows?.ToString() ?? "all"}"));

    private IReadOnlyDictionary<string, double> Execute(string name, string arm, int seed, Engine engine, CancellationToken stop)
    {
        var set = _made.GetOrAdd(name, _sets.Make).DrawnBy(seed);
        int[] labels = [.. set.Test.Select(set.ClassOf)];
        switch (arm)
        {
            case MlNet:
                return Quality.Of(MlNetLinearModel.Score(set, seed), labels).Values;
            case Frozen or Tuned:
                var encoder = arguments.Encoder == "minilm" ? PublishedEncoder.MiniLM : PublishedEncoder.FromFolder(arguments.Encoder!);
                return new PublishedRun(encoder, arm == Frozen ? Training.FineTuning.None : Training.FineTuning.Auto).Execute(set, seed, engine, stop);
            default:
                var both = new WeighedBranches(set, seed, engine, arguments.Epochs);
                both.Train(stop);
                var values = new Dictionary<string, double>(Quality.Of(both.Probabilities(), labels).Values);
                foreach (var (value, number) in Quality.Of(both.LinearProbabilities(), labels).Values)
                    values.Add($"{Linear} {value}", number);
                foreach (var (value, number) in Quality.Of(both.NetworkProbabilities(), labels).Values)
                    values.Add($"{Network} {value}", number);
                values.Add("weight of the network", both.Weights.Network);
                values.Add("weight of the linear branch", both.Weights.Linear);
                return values;
        }
    }
}
