using System.Globalization;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// Fine-tunes the pretrained encoder with or without a global workspace and measures it on the test rows; without, also with experts
/// drawn at random for uncertain or for arbitrary tokens.
/// </summary>
internal sealed class FineTuning(Arguments arguments, DataFolder folder, Pretraining pretraining)
{
    /// <summary>Accuracy on the test rows.</summary>
    public const string Accuracy = "accuracy";

    private const string Study = "finetune";
    private const float LoadBalancing = 0.001f;
    private const int BatchSize = 32;
    private const int EntropyBins = 100;

    public static FineTuningTask Smallest { get; } = new(DataFolder.Clinc150, 10, 15);

    public static FineTuningTask Sentences { get; } = new(DataFolder.MovieSentences, null, 4);

    public static IReadOnlyList<FineTuningTask> Tasks { get; } =
        [Smallest, new(DataFolder.Clinc150, 50, 6), new(DataFolder.Clinc150, 100, 4), Sentences];

    /// <summary>Thresholds, as shares of the largest entropy, from which tokens are called uncertain.</summary>
    public static IReadOnlyList<double> Thresholds { get; } = [0.5, 0.6, 0.7, FineTuningArm.PaperThreshold, 0.87, 0.95];

    /// <summary>What the runs have in common, in words.</summary>
    public string Description =>
        $"{pretraining.Description} Fine-tuning: routers frozen, no linear branch, batches of {BatchSize}, load-balancing coefficient "
        + $"{LoadBalancing:G}, learning rates and all else as the options' defaults; passes over the training rows: "
        + string.Join("; ", Tasks.Select(task => $"{task} {Epochs(task)}")) + ". All arms alike; no choice was made by these results.";

    /// <summary>Name of the share of the test rows' tokens whose entropy reaches a threshold.</summary>
    public static string UncertainShare(double threshold) => $"uncertain at {Text(threshold)}";

    /// <summary>Name of the accuracy with experts drawn at random for the uncertain tokens, or for as many of each sequence.</summary>
    public static string RandomExpertsAccuracy(double threshold, GlobalWorkspaceTokens tokens) =>
        $"random experts at {Text(threshold)}, {(tokens == GlobalWorkspaceTokens.Uncertain ? "uncertain" : "arbitrary")} tokens";

    public RunKey Key(FineTuningTask task, FineTuningArm arm, int seed) => new(
        Study,
        task.ToString(),
        arm.Name,
        seed,
        $"{pretraining.Settings}, epochs {Epochs(task)}, rows {arguments.Rows?.ToString(CultureInfo.InvariantCulture) ?? "all"}");

    public Run Run(FineTuningTask task, FineTuningArm arm, int seed) =>
        new(Key(task, arm, seed), (engine, stop) => Execute(task, arm, seed, engine, stop));

    /// <summary>A value of all finished runs of an arm on some tasks.</summary>
    public IReadOnlyDictionary<(FineTuningTask Task, int Seed), double> Values(
        RunLog log, IEnumerable<FineTuningTask> tasks, FineTuningArm arm, string value)
    {
        var found =
            from task in tasks
            from seed in arguments.Seeds
            let result = log.Find(Key(task, arm, seed))
            where result is not null
            select KeyValuePair.Create((task, seed), result.Values[value]);
        return found.ToDictionary();
    }

    private Dictionary<string, double> Execute(FineTuningTask task, FineTuningArm arm, int seed, Engine engine, CancellationToken stop)
    {
        var data = task.Load(folder, seed);
        var config = new TextClassifierConfig
        {
            Encoder = new() { LoadBalancingCoefficient = LoadBalancing },
            Training = new()
            {
                MaxEpochs = Epochs(task),
                BatchSize = BatchSize,
                GlobalWorkspace = arm.Workspace,
                FreezeRouter = true,
                Seed = seed,
            },
            LinearBranch = false,
        };
        var trainer = new TextClassifierTrainer(config, data.Classes, engine, start: pretraining.Start);
        var classifier = trainer.Train(data.Encode(trainer.Input, data.Train), stop: stop);
        var test = data.Encode(trainer.Input, data.Test);

        var values = new Dictionary<string, double> { [Accuracy] = TestAccuracy.Of(classifier, test) };
        var report = classifier.ReportRouting(
            test.Select(row => row.Input), new RoutingReportOptions { EntropyBins = EntropyBins, SampledTokens = 0, TopTokens = 0 }, stop);
        foreach (var threshold in Thresholds)
            values.Add(UncertainShare(threshold), report.Layers.Average(layer => ShareFrom(layer, threshold)));
        if (arm == FineTuningArm.Standard)
            foreach (var threshold in Thresholds)
                AddRandomExperts(threshold);
        return values;

        void AddRandomExperts(double threshold)
        {
            stop.ThrowIfCancellationRequested();
            foreach (var tokens in new[] { GlobalWorkspaceTokens.Uncertain, GlobalWorkspaceTokens.Random })
            {
                var nats = threshold * Math.Log(classifier.Experts);
                var policy = new RandomExperts(classifier.Router.CreatePolicy(), nats, tokens, seed);
                values.Add(RandomExpertsAccuracy(threshold, tokens), TestAccuracy.Of(classifier.WithPolicy(policy), test));
            }
        }
    }

    // The thresholds are edges of bins.
    private static double ShareFrom(LayerRoutingReport layer, double threshold) =>
        (double)layer.EntropyHistogram.Skip((int)Math.Round(threshold * EntropyBins)).Sum(bin => bin.Tokens) / layer.Tokens;

    private int Epochs(FineTuningTask task) => arguments.Epochs ?? task.Epochs;

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
}
