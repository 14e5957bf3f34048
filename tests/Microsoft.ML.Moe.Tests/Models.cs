using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests;

/// <summary>Tiny models, trained in a fraction of a second.</summary>
internal static class Models
{
    /// <summary>Options of a tiny model.</summary>
    public static MoeTextClassificationTrainer.Options Options(Action<MoeTextClassificationTrainer.Options>? change = null)
    {
        var options = new MoeTextClassificationTrainer.Options
        {
            Sentence1ColumnName = nameof(Row.Text),
            Width = 16,
            Heads = 2,
            Layers = 1,
            Experts = 2,
            Router = Router.TokenChoice(1),
            ExpertWidth = 16,
            HashBits = 10,
            MaximumTokens = 32,
            MaxEpochs = 4,
            BatchSize = 16,
        };
        change?.Invoke(options);
        return options;
    }

    /// <summary>The trainer of a tiny model.</summary>
    public static MoeTextClassificationTrainer Trainer(MLContext ml, Action<MoeTextClassificationTrainer.Options>? change = null) =>
        ml.MulticlassClassification.Trainers.MoeTextClassifier(Options(change));

    /// <summary>The tiny model behind <c>MapValueToKey</c>.</summary>
    public static EstimatorChain<MoeTextClassificationTransformer> Pipeline(
        MLContext ml, Action<MoeTextClassificationTrainer.Options>? change = null, string label = nameof(Row.Label)) =>
        ml.Transforms.Conversion.MapValueToKey("Label", label).Append(Trainer(ml, change));

    /// <summary>Trains the tiny model on the rows of <see cref="Tables"/>.</summary>
    public static TransformerChain<MoeTextClassificationTransformer> Fit(
        MLContext ml, Action<MoeTextClassificationTrainer.Options>? change = null) =>
        Pipeline(ml, change).Fit(ml.Data.LoadFromEnumerable(Tables.Rows()));

    /// <summary>Scores rows.</summary>
    public static List<Prediction> Score(MLContext ml, ITransformer model, IEnumerable<Row> rows) =>
        Read(ml, model.Transform(ml.Data.LoadFromEnumerable(rows)));

    /// <summary>Reads scored rows.</summary>
    public static List<Prediction> Read(MLContext ml, IDataView scored) =>
        [.. ml.Data.CreateEnumerable<Prediction>(scored, reuseRowObject: false)];

    /// <summary>Asserts that two scorings are the same, bit for bit.</summary>
    public static void AssertSame(IReadOnlyList<Prediction> expected, IReadOnlyList<Prediction> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Id, actual[i].Id);
            Assert.Equal(expected[i].PredictedLabel, actual[i].PredictedLabel);
            Assert.Equal(expected[i].Score, actual[i].Score);
        }
    }
}
