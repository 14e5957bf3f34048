using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>Whether scoring with a model that was trained with a global workspace costs more than with one that was not.</summary>
internal sealed class InferenceStudy(Arguments arguments, DataFolder folder) : IStudy
{
    private const string Ratio = "ratio";
    private const string Spread = "spread";
    private const string Milliseconds = "milliseconds";
    private const string Study = "inference";
    private const string Arm = "trained with / without global workspace";
    private const int Experts = 8;
    private const int FullEpochs = 3;
    private const int ScoredRows = 500;
    private const int Rounds = 61;

    // Low enough for many tokens to be broadcast while training.
    private static readonly GlobalWorkspaceSettings Workspace = new(0.3, EntropyUnit.ShareOfTokens);

    public IEnumerable<Run> Runs =>
        arguments.Seeds.Select(seed => new Run(Key(seed), (engine, stop) => Measure(seed, engine, stop)));

    /// <inheritdoc/>
    public bool MeasuresTime => true;

    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Inference with models trained with a global workspace\n\n");
        text.AppendLine(
            $"Two classifiers of {DataFolder.Clinc150}, {Experts} experts in each of 2 layers and one for each token, trained alike but "
            + $"that one broadcasts 30 % of the tokens while training. Each scores {ScoredRows} test rows in turn with the other, {Rounds} "
            + $"rounds on {arguments.Threads} threads; the median of the rounds' ratios, with / without, and the distance between their "
            + "quartiles.").AppendLine();
        var table = new MarkdownTable("seed", "with, ms", "ratio", "quartile distance");
        var ratios = new List<double>();
        foreach (var seed in arguments.Seeds)
        {
            if (log.Find(Key(seed)) is not { Values: var values })
                continue;
            ratios.Add(values[Ratio]);
            table.Add(
                seed.ToString(CultureInfo.InvariantCulture), Number(values[Milliseconds], "F1"), Number(values[Ratio], "F3"),
                Number(values[Spread], "F3"));
        }

        return text.Append(table).AppendLine().AppendLine($"Mean of the seeds: {new Sample(ratios).Format(1, "F3", "F3")}").ToString();

        static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
    }

    private RunKey Key(int seed) => new(
        Study,
        DataFolder.Clinc150,
        Arm,
        seed,
        FormattableString.Invariant($"epochs {Epochs}, rows {arguments.Rows?.ToString() ?? "all"}, threads {arguments.Threads}"));

    private int Epochs => arguments.Epochs ?? FullEpochs;

    private Dictionary<string, double> Measure(int seed, Engine engine, CancellationToken stop)
    {
        var data = folder.Load(DataFolder.Clinc150);
        var with = Train(Workspace);
        var without = Train(workspace: null);
        EncodedText[] rows = [.. data.Encode((TextInput)with.Input, data.Test).Take(ScoredRows).Select(row => row.Input)];
        var probabilities = new float[rows.Length * data.Classes];
        var result = new PairedRunner(Rounds).Compare(() => with.Score(rows, probabilities), () => without.Score(rows, probabilities));
        return new() { [Ratio] = result.Ratio, [Spread] = result.Spread, [Milliseconds] = 1000 * result.First };

        Model<EncodedText> Train(GlobalWorkspaceSettings? workspace)
        {
            var config = new TextClassifierConfig
            {
                Encoder = new() { Experts = Experts, Router = Router.TokenChoice(1) },
                Training = new() { MaxEpochs = Epochs, GlobalWorkspace = workspace, Seed = seed },
            };
            var trainer = new TextClassifierTrainer(config, data.Classes, engine);
            return trainer.Train(data.Encode(trainer.Input, data.Train), stop: stop);
        }
    }
}
