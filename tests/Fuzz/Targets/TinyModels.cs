using Microsoft.ML.Data;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>Tiny models of all kinds, trained in a fraction of a second.</summary>
internal static class TinyModels
{
    /// <summary>Slots of the vector of features, and pixels of an image.</summary>
    public const int Slots = 16;

    /// <summary>A classifier of texts.</summary>
    public static MoeTextClassificationTransformer Text(MLContext ml, TextTokenizer? tokenizer = null) =>
        ml.Transforms.Conversion.MapValueToKey("Label").Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(new()
        {
            Sentence1ColumnName = nameof(TinyRow.Text),
            Tokenizer = tokenizer,
            RouterEntropyColumnName = "Entropy",
            Width = 16,
            Heads = 2,
            Layers = 1,
            Experts = 2,
            Router = Router.TokenChoice(1),
            ExpertWidth = 16,
            HashBits = 8,
            MaximumTokens = 32,
            MaxEpochs = 1,
            BatchSize = 16,
        })).Fit(Rows(ml)).LastTransformer;

    /// <summary>A classifier of images that are vectors of pixels.</summary>
    public static MoeImageClassificationTransformer Image(MLContext ml) =>
        ml.Transforms.Conversion.MapValueToKey("Label").Append(ml.MulticlassClassification.Trainers.MoeImageClassifier(new()
        {
            FeatureColumnName = nameof(TinyRow.Vector),
            Width = 16,
            Heads = 2,
            Layers = 1,
            Experts = 2,
            Router = Router.TokenChoice(1),
            ExpertWidth = 16,
            PatchSize = 2,
            MaxEpochs = 1,
            BatchSize = 16,
        })).Fit(Rows(ml)).LastTransformer;

    /// <summary>A model that gives a number for features.</summary>
    public static MoeRegressionTransformer Number(MLContext ml) => ml.Regression.Trainers.MoeRegressor(new MoeRegressionTrainer.Options
    {
        LabelColumnName = nameof(TinyRow.Number),
        FeatureColumnName = nameof(TinyRow.Vector),
        Width = 16,
        Experts = 2,
        ExpertWidth = 16,
        Members = 2,
        MaxEpochs = 1,
        BatchSize = 16,
    }).Fit(Rows(ml));

    /// <summary>An embedder of texts.</summary>
    public static MoeTextEmbeddingTransformer Embedder(MLContext ml)
    {
        using var folder = new TemporaryFolder();
        TinyPublished.Write(folder.Path, TinyPublished.NomicMixture);
        TinyPublished.WriteTokenizer(folder.Path);
        return ml.Transforms.Text.EmbedText("Features", nameof(TinyRow.Text), PublishedEncoder.FromFolder(folder.Path),
            new EmbedTextOptions { Device = MoeDevice.Cpu })
            .Fit(Rows(ml));
    }

    /// <summary>A model that writes text.</summary>
    public static MoeTextGenerationTransformer Generator(MLContext ml)
    {
        using var folder = new TemporaryFolder();
        TinyCausal.Write(folder.Path);
        return ml.Transforms.Text.GenerateText("Answer", nameof(TinyRow.Text), PublishedModel.FromFolder(folder.Path),
            new GenerateTextOptions
        {
            Weights = Microsoft.ML.Moe.Tensors.WeightPrecision.Float32,
        }).Fit(Rows(ml));
    }

    /// <summary>The zip of a model.</summary>
    public static byte[] Zip(MLContext ml, ITransformer model)
    {
        using var stream = new MemoryStream();
        ml.Model.Save(model, null, stream);
        return stream.ToArray();
    }

    private static IDataView Rows(MLContext ml)
    {
        var random = new Random(1);
        return ml.Data.LoadFromEnumerable(Enumerable.Range(0, 48).Select(i => new TinyRow
        {
            Text = string.Join(' ', Enumerable.Range(0, 4).Select(_ => (char)('a' + random.Next(6) + 8 * (i % 3)))),
            Label = "abc"[i % 3].ToString(),
            Number = i,
            Vector = [.. Enumerable.Range(0, Slots).Select(_ => random.NextSingle())],
        }).ToList());
    }
}

/// <summary>A row of the tiny models' table.</summary>
internal sealed class TinyRow
{
    public string Text { get; set; } = "";

    public string Label { get; set; } = "";

    public float Number { get; set; }

    [VectorType(TinyModels.Slots)]
    public float[] Vector { get; set; } = new float[TinyModels.Slots];
}
