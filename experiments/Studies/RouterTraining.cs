using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// Trains a classifier from scratch with a router and measures it on the clean and on the corrupted test rows. A model with Token
/// Choice, k = 2, is measured with Unified in its place, too.
/// </summary>
internal sealed class RouterTraining(Arguments arguments, DataFolder folder)
{
    /// <summary>Accuracy on the test rows.</summary>
    public const string Clean = "clean";

    /// <summary>Accuracy on the corrupted test rows.</summary>
    public const string Corrupted = "corrupted";

    /// <summary>Experts that a token of the test rows was sent to on average.</summary>
    public const string ExpertsPerToken = "expertsPerToken";

    /// <summary>FLOPs of a test row's forward pass.</summary>
    public const string FlopsPerRow = "flopsPerRow";

    private const string Study = "routers";
    private const int Experts = 8;
    private const int OtherSeed = 0x0AAA;

    public static RouterArm TokenChoice { get; } = new(RouterKind.TokenChoice, 2);

    /// <summary>14 % fewer expert FLOPs than two experts for each token.</summary>
    public static RouterArm Cheaper { get; } = new(RouterKind.Unified, 1.72);

    /// <summary>Unified in the place of the Token Choice that a model was trained with.</summary>
    public static IReadOnlyList<RouterVariant> TrainingFree { get; } =
    [
        new(TokenChoice, Cheaper, Normalize: true),
        new(TokenChoice, Cheaper),
        new(TokenChoice, Cheaper with { ExpertsPerToken = 2 }, Normalize: true),
        new(TokenChoice, Cheaper with { ExpertsPerToken = 2 }),
    ];

    public IReadOnlyList<string> DataSets { get; } = [DataFolder.Clinc150, DataFolder.Snips, DataFolder.MovieSentences];

    /// <summary>What the runs have in common, in words.</summary>
    public string Description =>
        $"2 layers of width 128, {Experts} experts of width 256 in each, no linear branch beside the encoder, passes over the training "
        + $"rows: {string.Join(", ", DataSets.Select(name => $"{name} {Epochs(name)}"))}; all else as the options' defaults. No choice was "
        + "made by these results. Corrupted: 20 % of the test rows' words, drawn at random, are replaced by \"AAA\"; training is on clean "
        + "rows. (The authors' published code lacks the corruption; words are what white space separates.)";

    public RunKey Key(string data, RouterArm arm, int seed) => new(
        Study,
        data,
        arm.ToString(),
        seed,
        FormattableString.Invariant($"experts {Experts}, epochs {Epochs(data)}, rows {arguments.Rows?.ToString() ?? "all"}"));

    public Run Run(string data, RouterArm arm, int seed) =>
        new(Key(data, arm, seed), (engine, stop) => Execute(data, arm, seed, engine, stop));

    /// <summary>A value of all finished runs with a router on some data sets.</summary>
    public IReadOnlyDictionary<(string Data, int Seed), double> Values(
        RunLog log, IEnumerable<string> dataSets, RouterVariant variant, string value)
    {
        var found =
            from data in dataSets
            from seed in arguments.Seeds
            let result = log.Find(Key(data, variant.Trained, seed))
            where result is not null
            select KeyValuePair.Create((data, seed), result.Values[variant.ValueName(value)]);
        return found.ToDictionary();
    }

    private Dictionary<string, double> Execute(string name, RouterArm arm, int seed, Engine engine, CancellationToken stop)
    {
        var data = folder.Load(name);
        var config = new TextClassifierConfig
        {
            Encoder = new() { Experts = Experts, Router = arm.Router },
            Training = new() { MaxEpochs = Epochs(name), Seed = seed },
            LinearBranch = false,
        };
        var trainer = new TextClassifierTrainer(config, data.Classes, engine);
        var classifier = trainer.Train(data.Encode(trainer.Input, data.Train), stop: stop);

        IReadOnlyList<RouterVariant> variants = [new(arm), .. arm == TokenChoice ? TrainingFree : []];
        Router[] routers = [.. variants.Select(v => v.RouterFor(classifier.Router))];
        var clean = classifier.CompareRouting(data.Encode(trainer.Input, data.Test), routers);
        var corrupted = classifier.CompareRouting(
            data.Encode(trainer.Input, WordCorruption.Of(data.Test, seed ^ OtherSeed)), routers);

        var values = new Dictionary<string, double>();
        foreach (var (i, variant) in variants.Index())
        {
            values.Add(variant.ValueName(Clean), clean[i].Accuracy);
            values.Add(variant.ValueName(Corrupted), corrupted[i].Accuracy);
            values.Add(variant.ValueName(ExpertsPerToken), clean[i].ExpertsPerToken);
            values.Add(variant.ValueName(FlopsPerRow), clean[i].FlopsPerRow);
        }

        return values;
    }

    private int Epochs(string data) => arguments.Epochs ?? data switch
    {
        DataFolder.Clinc150 => 8,
        DataFolder.Snips => 3,
        _ => 4,
    };
}
