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
/// Images with the packaged ResNet-18: ML.NET's logistic regression (LbfgsMaximumEntropy) on what the frozen network makes of them, our layer on
/// the same numbers, and the network fine-tuned, with the default changes of images and with those of the set.
/// </summary>
internal sealed class ImageEncoderStudy(Arguments arguments) : IStudy
{
    private const string Name = "image-encoder";
    private const string Accuracy = "accuracy";
    private const string LogLoss = "logLoss";
    private const string Seconds = "CPU seconds";
    private const string MlNet = "frozen, ML.NET's logistic regression";

    private static readonly int[] Sides = [64, 128];

    private static readonly (string Name, Training.FineTuning FineTuning, Func<ImageSet, AugmentationConfig> Augmentation)[] Arms =
    [
        ("frozen", Training.FineTuning.None, _ => new AugmentationConfig()),
        ("FineTuning = Auto", Training.FineTuning.Auto, _ => new AugmentationConfig()),
        ("FineTuning = Auto, images changed more", Training.FineTuning.Auto, set => set.Augmentation),
    ];

    private IReadOnlyList<string> Sets => arguments.Sets ?? [ImageSet.Trashnet];

    /// <inheritdoc/>
    public bool MeasuresTime => true;

    /// <inheritdoc/>
    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from data in Sets
        from side in Sides
        from run in Arms
            .Select(arm => new Run(
                Key(data, side, arm.Name, seed),
                (engine, stop) => Timed(() => Train(data, side, seed, arm.FineTuning, arm.Augmentation, engine, stop))))
            .Prepend(new Run(Key(data, side, MlNet, seed), (engine, stop) => ExecuteMlNet(data, side, seed, engine, stop)))
        select run;

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Images with a published network\n\n").Append(
            CultureInfo.InvariantCulture,
            $"The packaged ResNet-18. Mean ± standard error of the seeds {string.Join(", ", arguments.Seeds)}: test accuracy in per cent, log-loss, ")
            .Append("CPU time to fit and to score the test rows.\n\n");
        var table = new MarkdownTable(["set", "images read as", "model", Accuracy, "log-loss", Seconds]);
        foreach (var data in Sets)
            foreach (var side in Sides)
                foreach (var name in Arms.Select(arm => arm.Name).Prepend(MlNet))
                {
                    table.Add([data, $"{side} × {side}", name, Of(Accuracy).InPercent(), Of(LogLoss).Format(1, "0.000"), Of(Seconds).Format(1, "0")]);

                    Sample Of(string value) => new(
                        [.. arguments.Seeds.Select(seed => log.Find(Key(data, side, name, seed))?.Values.GetValueOrDefault(value, double.NaN))
                            .OfType<double>().Where(double.IsFinite)]);
                }

        return text.Append(table).ToString();
    }

    private RunKey Key(string data, int side, string arm, int seed) => new(
        Name,
        data,
        string.Create(CultureInfo.InvariantCulture, $"{arm}, {side} pixels"),
        seed,
        $"rows {arguments.Rows?.ToString(CultureInfo.InvariantCulture) ?? "all"}");

    private static Dictionary<string, double> Timed(Func<Quality> train)
    {
        var (quality, seconds) = CpuTime.Of(train);
        return new() { [Accuracy] = quality.Values["accuracy"], [LogLoss] = quality.Values["logLoss"], [Seconds] = seconds };
    }

    private Quality Train(
        string data,
        int side,
        int seed,
        Training.FineTuning fineTuning,
        Func<ImageSet, AugmentationConfig> augmentation,
        Engine engine,
        CancellationToken stop)
    {
        var set = ImageSet.Load(arguments.Data, data, arguments.Rows);
        var source = Source(side);
        var config = new PublishedTrainingConfig
        {
            FineTuning = fineTuning, Augmentation = augmentation(set), Training = new TrainingConfig { Seed = seed },
        };
        var model = new PublishedImageTrainer(config, source, set.Classes, engine).Train(Read(set.Training, set, source), stop: stop);
        var test = Read(set.Test, set, source);
        var probabilities = new float[test.Length * set.Classes];
        model.Score([.. test.Select(row => row.Input)], probabilities);
        return Quality.Of(probabilities, [.. test.Select(row => (int)row.Target)]);
    }

    private Dictionary<string, double> ExecuteMlNet(string data, int side, int seed, Engine engine, CancellationToken stop)
    {
        var set = ImageSet.Load(arguments.Data, data, arguments.Rows);
        var source = Source(side);
        var task = new ImageTuningTask(source, new PublishedTrainingConfig { Training = new TrainingConfig { Seed = seed } }, set.Classes)
        {
            All = [], Weights = [], Training = [], Validation = [], Plan = null, Width = source.Encoder.Width,
        };
        var encoder = new FrozenPass<ImagePixels>(task.CreateModel(engine, PublishedImageTrainer.FrozenLayers));
        return new() { [Accuracy] = MlNetImageModels.LogisticRegression(States(set.Training), States(set.Test), seed) };

        List<MlNetImageModels.Row> States(IReadOnlyList<Example<ImagePixels>> examples)
        {
            var states = encoder.Run([.. Read(examples, set, source).Select(row => row.Input)], stop: stop);
            return
            [
                .. examples.Select((row, i) => new MlNetImageModels.Row
                {
                    Label = (int)row.Target, Features = states.Features.AsSpan(i * states.Width, states.Width).ToArray(),
                }),
            ];
        }
    }

    private static PublishedImageSource Source(int side) => PublishedImageSource.Open(PublishedEncoder.ResNet18, width: side, height: side);

    /// <summary>Images as the network reads them; grey ones in three equal colours.</summary>
    private static Example<ImagePixels>[] Read(IReadOnlyList<Example<ImagePixels>> rows, ImageSet set, PublishedImageSource source)
    {
        var values = new float[set.Input.Length];
        return [.. rows.Select(row =>
        {
            row.Input.CopyTo(values);
            var repeats = source.Input.Images.Channels / set.Input.Channels;
            byte[] bytes = [.. values.SelectMany(value => Enumerable.Repeat((byte)value, repeats))];
            return new Example<ImagePixels>(source.Input.Images.Encode(bytes, set.Input.Width, set.Input.Height), row.Target);
        })];
    }
}
