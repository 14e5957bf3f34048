using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Tiny image models, trained in a fraction of a second.</summary>
internal static class ImageModels
{
    /// <summary>Options of a tiny model.</summary>
    public static MoeImageClassificationTrainer.Options Options(Action<MoeImageClassificationTrainer.Options>? change = null)
    {
        var options = new MoeImageClassificationTrainer.Options
        {
            Width = 16,
            Heads = 2,
            Layers = 1,
            Experts = 2,
            Router = Router.TokenChoice(1),
            ExpertWidth = 16,
            PatchSize = 2,
            MaxEpochs = 6,
            BatchSize = 16,
            LearningRate = 1e-2f,
            MaxRotation = 0,
        };
        change?.Invoke(options);
        return options;
    }

    /// <summary>The trainer of a tiny model.</summary>
    public static MoeImageClassificationTrainer Trainer(MLContext ml, Action<MoeImageClassificationTrainer.Options>? change = null) =>
        ml.MulticlassClassification.Trainers.MoeImageClassifier(Options(change));

    /// <summary>The tiny model behind <c>MapValueToKey</c>.</summary>
    public static EstimatorChain<MoeImageClassificationTransformer> Pipeline(
        MLContext ml, Action<MoeImageClassificationTrainer.Options>? change = null) =>
        ml.Transforms.Conversion.MapValueToKey("Label").Append(Trainer(ml, change));

    /// <summary>Trains the tiny model on rows; null takes those of <see cref="ImageTables"/>.</summary>
    public static TransformerChain<MoeImageClassificationTransformer> Fit(
        MLContext ml, Action<MoeImageClassificationTrainer.Options>? change = null, IEnumerable<ImageRow>? rows = null) =>
        Pipeline(ml, change).Fit(ml.Data.LoadFromEnumerable(rows ?? ImageTables.Rows()));

    /// <summary>Scores rows.</summary>
    public static List<Prediction> Score(MLContext ml, ITransformer model, IEnumerable<ImageRow> rows) =>
        Models.Read(ml, model.Transform(ml.Data.LoadFromEnumerable(rows)));

    /// <summary>Encoded images, six pixels wide.</summary>
    public static void Files(MoeImageClassificationTrainer.Options options) =>
        (options.FeatureColumnName, options.ImageWidth, options.Channels) = ("Image", ImageRow.Side, 1);
}
