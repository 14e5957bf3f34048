using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// A classifier of shapes on textures, made as an application makes it: which expert each patch goes to, as a page and as files in the output
/// folder, and how well experts tell shapes from grounds.
/// </summary>
internal sealed class ShapeExpertsStudy(Arguments arguments) : IStudy
{
    private const string Name = "shape-experts";
    private const string Accuracy = "accuracy";
    private const int RowCount = 2000;
    private const int Images = 6;

    private static readonly (string Name, Func<ObjectSeparation, double> Of)[] Separations =
    [
        ("trained", s => s.Trained), ("untrained", s => s.Untrained), ("within an image, trained", s => s.TrainedWithinImages),
        ("within an image, untrained", s => s.UntrainedWithinImages),
    ];

    private static readonly Router[] Routers = [Router.TokenChoice(1), Router.ExpertChoice(1), Router.Unified(1)];

    /// <inheritdoc/>
    public IEnumerable<Run> Runs => arguments.Seeds.Select(seed => new Run(Key(seed), (engine, stop) => Execute(seed, engine)));

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var results = arguments.Seeds.Select(seed => log.Find(Key(seed))).OfType<RunResult>().ToList();
        var table = new MarkdownTable(["router", .. Separations.Select(separation => separation.Name)]);
        foreach (var router in Routers)
            table.Add([router.ToString(), .. Separations.Select(separation => Of(NameOf(router, separation.Name)))]);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"## Which expert sees what: shapes on textures\n\nAdjusted mutual information of a patch's expert with whether it shows a shape, of all images together and within "
            + $"an image, in per cent; mean ± standard error of {results.Count} seeds. One model, trained with Token Choice, routed in three ways at one expert a patch. Accuracy: {Of(Accuracy)}.\n\n{table}");

        string Of(string value) => results.Count == 0 ? "–" : new Sample([.. results.Select(result => result.Values[value])]).InPercent();
    }

    private static string NameOf(Router router, string separation) => $"{router.Kind}, {separation}";

    private RunKey Key(int seed) => new(Name, ImageSet.Shapes, "Token Choice", seed, string.Create(CultureInfo.InvariantCulture, $"epochs {arguments.Epochs}"));

    private Dictionary<string, double> Execute(int seed, Engine engine)
    {
        var context = new MLContext(seed);
        var (training, test) = (Load(0), Load(RowCount));
        var pipeline = context.Transforms.Conversion.MapValueToKey("Label").Append(
            context.MulticlassClassification.Trainers.MoeImageClassifier(new MoeImageClassificationTrainer.Options
            {
                FeatureColumnName = nameof(Row.Image),
                Router = Router.TokenChoice(1),
                MaxEpochs = arguments.Epochs,
                Threads = engine.HostThreads,
                Seed = seed,
            }));
        var model = pipeline.Fit(training);
        var pictures = model.LastTransformer.DrawRouting(
            test, new RoutingPicturesOptions { Images = Images, Routers = Routers, MaskColumnName = nameof(Row.Mask), Seed = seed });
        var name = Path.Combine(arguments.Output, string.Create(CultureInfo.InvariantCulture, $"{Name}-{seed}"));
        pictures.SaveHtml(name + ".html");
        pictures.SavePng(name);

        var values = new Dictionary<string, double>
        {
            [Accuracy] = context.MulticlassClassification.Evaluate(model.Transform(test)).MicroAccuracy,
        };
        foreach (var ofRouter in pictures.Separations)
            foreach (var (named, of) in Separations)
                values[NameOf(ofRouter.Router, named)] = of(ofRouter);
        return values;

        IDataView Load(int first) => context.Data.LoadFromEnumerable(Enumerable.Range(first, RowCount).Select(number =>
        {
            var (pixels, mask, shape) = ShapesOnTextures.Create(number);
            return new Row
            {
                Image = Array.ConvertAll(pixels, value => (float)value),
                Mask = Array.ConvertAll(mask, isShape => isShape ? 1f : 0f),
                Label = shape,
            };
        }));
    }

    private sealed class Row
    {
        [VectorType(ShapesOnTextures.Side, ShapesOnTextures.Side, 3)]
        public float[] Image { get; set; } = [];

        [VectorType(ShapesOnTextures.Side * ShapesOnTextures.Side)]
        public float[] Mask { get; set; } = [];

        public int Label { get; set; }
    }
}
