using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// Images from scratch with the defaults: patches or convolutions, and behind these experts, a dense block, or none; and ML.NET's own trainers on
/// the pixels.
/// </summary>
internal sealed class ImageStemStudy(Arguments arguments) : IStudy
{
    private const string Name = "image-stems";
    private const string Accuracy = "accuracy";
    private const string Seconds = "CPU seconds";

    private static readonly (string Name, Func<ImageClassifierConfig, ImageClassifierConfig> Change)[] Arms =
    [
        ("patches", config => config with { Stem = ImageStem.Patches }),
        ("convolutions, experts", config => config),
        ("convolutions, dense", config => config with { Encoder = config.Encoder with { MoeEvery = 0 } }),
        ("convolutions alone", config => config with { Encoder = config.Encoder with { Layers = 0 } }),
    ];

    private static readonly (string Name, Func<ImageSet, int, double> Accuracy)[] PixelArms =
        [("LightGBM", MlNetImageModels.LightGbm), ("linear model", MlNetImageModels.Linear)];

    private IReadOnlyList<string> Sets => arguments.Sets ?? [ImageSet.FashionMnist, ImageSet.Trashnet];

    /// <inheritdoc/>
    public bool MeasuresTime => true;

    /// <inheritdoc/>
    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from data in Sets
        from run in Arms
            .Select(arm => new Run(Key(data, arm.Name, seed), (engine, stop) => Execute(data, arm.Change, seed, engine, stop)))
            .Concat(PixelArms.Select(arm => new Run(Key(data, arm.Name, seed), (_, _) => Timed(() => arm.Accuracy(Load(data), seed)))))
        select run;

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Images from scratch: stems\n\n").Append(
            CultureInfo.InvariantCulture,
            $"Mean ± standard error of the seeds {string.Join(", ", arguments.Seeds)}: test accuracy in per cent, CPU time to fit and to score the test rows. LightGBM and the linear model (SdcaMaximumEntropy) of ML.NET read the pixels.\n\n");
        var table = new MarkdownTable(["set", "model", Accuracy, Seconds]);
        foreach (var data in Sets)
            foreach (var name in Arms.Select(arm => arm.Name).Concat(PixelArms.Select(arm => arm.Name)))
            {
                Run[] runs = [.. Runs.Where(run => run.Key.Data == data && run.Key.Arm == name)];
                table.Add([data, name, Of(Accuracy).InPercent(), Of(Seconds).Format(1, "0")]);

                Sample Of(string value) => new([.. runs.Select(run => log.Find(run.Key)?.Values[value]).OfType<double>()]);
            }

        return text.Append(table).ToString();
    }

    private RunKey Key(string data, string arm, int seed) => new(
        Name,
        data,
        arm,
        seed,
        FormattableString.Invariant($"epochs {arguments.Epochs?.ToString() ?? "by rule"}, rows {arguments.Rows?.ToString() ?? "all"}"));

    private Dictionary<string, double> Execute(
        string data, Func<ImageClassifierConfig, ImageClassifierConfig> change, int seed, Engine engine, CancellationToken stop)
    {
        var set = Load(data);
        var config = change(new ImageClassifierConfig
        {
            Stem = ImageStem.Convolutional,
            Augmentation = set.Augmentation,
            Training = new TrainingConfig { MaxEpochs = arguments.Epochs, Seed = seed },
        });
        return Timed(() => new ImageClassifierTrainer(config, set.Input, set.Classes, engine).Train(set.Training, stop: stop).Measure(set.Test).Metric);
    }

    private ImageSet Load(string data) => ImageSet.Load(arguments.Data, data, arguments.Rows);

    /// <summary>An accuracy, and the CPU time that it took, test rows and all.</summary>
    private static Dictionary<string, double> Timed(Func<double> accuracy)
    {
        var (result, seconds) = CpuTime.Of(accuracy);
        return new() { [Seconds] = seconds, [Accuracy] = result };
    }
}
