using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>A row of a made-up table in which a colour and a number decide, and another number says nothing.</summary>
internal sealed class FeatureRecord
{
    public string Colour { get; set; } = "";

    public float Size { get; set; }

    public float Noise { get; set; }

    public float Weight { get; set; } = 1f;

    public string Label { get; set; } = "";

    public bool IsLarge { get; set; }

    public float Price { get; set; }
}

/// <summary>A scored row.</summary>
internal sealed class FeaturePrediction
{
    public float Score { get; set; }

    public float Probability { get; set; }

    public bool PredictedLabel { get; set; }

    public float Spread { get; set; }
}

/// <summary>Made-up tables, and the tiny models that learn them.</summary>
internal static class FeatureTables
{
    private static readonly string[] Colours = ["red", "green", "blue"];

    /// <summary>Rows: the label is the colour, or <c>big</c> for sizes over 5; the price is the size, and 3 more if red.</summary>
    public static List<FeatureRecord> Rows(int count = 240, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var (colour, size) = (Colours[random.Next(3)], 10 * random.NextSingle());
            return new FeatureRecord
            {
                Colour = colour,
                Size = size,
                Noise = random.NextSingle(),
                Label = size > 5 ? "big" : colour,
                IsLarge = size > 5,
                Price = size + (colour == "red" ? 3 : 0),
            };
        })];
    }

    /// <summary>What makes features of a row.</summary>
    public static IEstimator<ITransformer> Featurize(MLContext ml) => ml.Transforms.Categorical.OneHotEncoding("Hot", "Colour")
        .Append(ml.Transforms.Concatenate("Features", "Hot", "Size", "Noise"));

    /// <summary>Makes options those of a tiny model.</summary>
    public static T Tiny<T>(Action<T>? change = null)
        where T : MoeFeatureOptions, new()
    {
        var options = new T
        {
            Width = 16, Experts = 4, ExpertWidth = 16, Members = 4, Networks = 1, MaxEpochs = 15, BatchSize = 16, LearningRate = 1e-2f, Threads = 1,
        };
        change?.Invoke(options);
        return options;
    }

    /// <summary>A chain for classes.</summary>
    public static EstimatorChain<MoeFeatureClassificationTransformer> Classes(
        MLContext ml, Action<MoeFeatureClassificationTrainer.Options>? change = null) => ml.Transforms.Conversion.MapValueToKey("Label")
        .Append(Featurize(ml))
        .Append(ml.MulticlassClassification.Trainers.MoeClassifier(Tiny(change)));

    /// <summary>A chain for yes or no.</summary>
    public static EstimatorChain<MoeBinaryClassificationTransformer> Binary(
        MLContext ml, Action<MoeBinaryClassificationTrainer.Options>? change = null) =>
        Featurize(ml).Append(ml.BinaryClassification.Trainers.MoeBinaryClassifier(Tiny<MoeBinaryClassificationTrainer.Options>(options =>
        {
            options.LabelColumnName = nameof(FeatureRecord.IsLarge);
            change?.Invoke(options);
        })));

    /// <summary>A chain for a number.</summary>
    public static EstimatorChain<MoeRegressionTransformer> Regression(MLContext ml, Action<MoeRegressionTrainer.Options>? change = null) =>
        Featurize(ml).Append(ml.Regression.Trainers.MoeRegressor(Tiny<MoeRegressionTrainer.Options>(options =>
        {
            options.LabelColumnName = nameof(FeatureRecord.Price);
            change?.Invoke(options);
        })));

    /// <summary>Saves and loads a model.</summary>
    public static ITransformer Reload(MLContext ml, ITransformer model)
    {
        using var stream = new MemoryStream();
        ml.Model.Save(model, null, stream);
        stream.Position = 0;
        return ml.Model.Load(stream, out _);
    }

    /// <summary>All numbers of a scored column.</summary>
    public static float[] Scores(IDataView scored, string column = "Score") => [.. scored.GetColumn<float>(column)];
}
