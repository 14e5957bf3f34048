using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> for classifying images with a vision transformer whose feed-forward blocks are mixtures of
/// experts, trained from scratch, or with a published encoder.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this trainer, use
/// [MoeImageClassifier](xref:Microsoft.ML.MoeCatalog.MoeImageClassifier(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,System.String,System.String,System.String,System.String,Microsoft.ML.IDataView))
/// or
/// [MoeImageClassifier(Options)](xref:Microsoft.ML.MoeCatalog.MoeImageClassifier(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,Microsoft.ML.Moe.MoeImageClassificationTrainer.Options)).
///
/// ### Input and output columns
/// The label column must be of [key](xref:Microsoft.ML.Data.KeyDataViewType) type, with values of any type behind the keys. The image
/// column is one of these:
///
/// | Image column | From | How it is read |
/// | -- | -- | -- |
/// | Vector of <xref:System.Byte> | [LoadRawImageBytes](xref:Microsoft.ML.ImageEstimatorsCatalog.LoadRawImageBytes*) | A PNG, JPEG, WebP, GIF or BMP file; of several frames the first. Turned upright by its EXIF orientation, resized. |
/// | <xref:Microsoft.ML.Data.MLImage> | [LoadImages](xref:Microsoft.ML.ImageEstimatorsCatalog.LoadImages*), [ResizeImages](xref:Microsoft.ML.ImageEstimatorsCatalog.ResizeImages*), a property with `[ImageType(height, width)]` | Resized. LoadImages does not turn photographs upright. |
/// | Vector of <xref:System.Single>, or of <xref:System.Byte> in three dimensions, of known size | [ExtractPixels](xref:Microsoft.ML.ImageEstimatorsCatalog.ExtractPixels*) with `interleavePixelColors: true` | Pixels, row by row from the top and in each row from the left, all channels of a pixel together. |
///
/// Transparent pixels lie on white. Rows with a missing label are left out; an image that is missing, damaged, cut short or larger than
/// 2^26 pixels is an error that names its row. Predictions do not need the label column.
///
/// This trainer outputs the following columns:
///
/// | Output column name | Column type | Description |
/// | -- | -- | -- |
/// | `PredictedLabel` | [key](xref:Microsoft.ML.Data.KeyDataViewType) type | The most probable label, with the values of the label column behind its keys: [MapKeyToValue](xref:Microsoft.ML.ConversionsExtensionsCatalog.MapKeyToValue*) gives them back. |
/// | `Score` | Vector of <xref:System.Single> | The probability of each label, in the order of the keys; they sum to 1. The slots are named after the labels. |
/// | `RouterEntropy` | Vector of two <xref:System.Single> | Only with `RouterEntropyColumnName`: mean and largest entropy of the routers over the image's patches, in nats. |
/// | `Uncertain` | <xref:System.Boolean> | Only with `UncertainColumnName`: whether that mean is at least `UncertainThreshold` · ln(experts). |
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Multiclass classification |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// Residual 3×3 convolutions, the first at full resolution, make up to 64 tokens of an image (Xiao et al. 2021); of images of more than 96
/// pixels a side a linear layer makes them, of patches that see a little of their neighbours (Dosovitskiy et al. 2021). Pre-norm transformer blocks put the tokens in context; in every n-th block a router sends each token to the best few of
/// several expert networks (Shazeer et al. 2017; Riquelme et al. 2021). The pooled vector gives the classes' scores. While training,
/// images are moved, zoomed, turned and partly blanked at random. AdamW with warm-up trains all of it; with validation rows the best
/// epoch is kept. The same seed gives the same model, whatever the number of threads.
/// ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var mlContext = new MLContext(seed: 1);
/// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
///     .Append(mlContext.Transforms.LoadRawImageBytes("Image", imageFolder: "photos", inputColumnName: "ImagePath"))
///     .Append(mlContext.MulticlassClassification.Trainers.MoeImageClassifier(featureColumnName: "Image"))
///     .Append(mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
/// var model = pipeline.Fit(trainingData);
/// var metrics = mlContext.MulticlassClassification.Evaluate(model.Transform(testData));
/// ]]></code>
/// </example>
public sealed partial class MoeImageClassificationTrainer
    : MoeTrainer<MoeImageClassificationTrainer.Options, MoeImageClassificationTransformer>
{
    internal MoeImageClassificationTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeImageClassificationTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run)
    {
        var classes = LabelClasses.Of(Settings.ColumnsOf(input), Settings.LabelColumnName);
        if (Settings.Encoder is { } encoder)
        {
            var source = PublishedImageSource.Open(encoder, Settings.Upcycling, Settings.ImageWidth, Settings.ImageHeight);
            return Fit(input, classes, source.Input.Images, run, engine =>
                new PublishedImageTrainer(Settings.ToPublishedConfig(), source, classes.Count, engine));
        }

        var start = FindStart(Settings, classes, tokenizer: null, environment, run.Channel);
        var images = start?.Images ?? ImageColumn.InputOf(
            ImageColumn.Find(Settings.ColumnsOf(input), Settings.FeatureColumnName), Settings.ImageWidth, Settings.ImageHeight, Settings.Channels);
        return Fit(input, classes, images, run, engine =>
            new ImageClassifierTrainer(Settings.ToConfig(), images, classes.Count, engine, start?.Values));
    }

    private MoeImageClassificationTransformer Fit(
        IDataView input, LabelClasses classes, ImageInput images, FitRun run, Func<Engine, Trainer<ImagePixels>> create)
    {
        var columns = Settings.Columns;
        run.Channel.Info(
            MessageSensitivity.None, $"Images are read as {images.Width} × {images.Height} × {images.Channels}: width, height, channels.");
        var rows = new ImageRows(columns.Features, images, Settings.BadImages);
        var model = new ClassifierFit<ImagePixels>(run, Settings).Execute(input, classes, engine => (rows, create(engine)), _ => rows);
        return new MoeImageClassificationTransformer(columns, model, classes.Values);
    }

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        ImageColumn.Check(inputSchema, Settings.FeatureColumnName);
        return ClassesOutput.Promise(inputSchema, Settings.Columns, Settings.LabelColumnName, Settings.WeightColumnName);
    }
}
