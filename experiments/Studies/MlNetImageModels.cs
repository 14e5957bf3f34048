using Microsoft.ML.Data;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>ML.NET's own trainers with their defaults, on numbers of images.</summary>
internal static class MlNetImageModels
{
    /// <summary>
    /// Boosted trees on the pixels, divided by 255, as accuracy on the test rows. Its threads are its own: as many as there are processors.
    /// </summary>
    public static double LightGbm(ImageSet set, int seed) =>
        Accuracy(Pixels(set.Training), Pixels(set.Test), seed, context => context.MulticlassClassification.Trainers.LightGbm());

    /// <summary>A linear model on the pixels, divided by 255, as accuracy on the test rows.</summary>
    public static double Linear(ImageSet set, int seed) =>
        Accuracy(Pixels(set.Training), Pixels(set.Test), seed, context => context.MulticlassClassification.Trainers.SdcaMaximumEntropy());

    /// <summary>A linear model that is fitted to its end, as accuracy on the test rows.</summary>
    public static double LogisticRegression(IReadOnlyList<Row> training, IReadOnlyList<Row> test, int seed) =>
        Accuracy(training, test, seed, context => context.MulticlassClassification.Trainers.LbfgsMaximumEntropy());

    private static double Accuracy<T>(IReadOnlyList<Row> training, IReadOnlyList<Row> test, int seed, Func<MLContext, IEstimator<T>> trainer)
        where T : class, ITransformer
    {
        var context = new MLContext(seed);
        var schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, training[0].Features.Length);
        var model = context.Transforms.Conversion.MapValueToKey("Label").Append(trainer(context)).Fit(Load(training));
        return context.MulticlassClassification.Evaluate(model.Transform(Load(test))).MicroAccuracy;

        IDataView Load(IReadOnlyList<Row> rows) => context.Data.LoadFromEnumerable(rows, schema);
    }

    // kept, since trainers pass over them many times
    private static List<Row> Pixels(IEnumerable<Example<ImagePixels>> rows) => [.. rows.Select(row =>
    {
        var values = new float[row.Input.Length];
        row.Input.CopyTo(values);
        return new Row { Label = (int)row.Target, Features = Array.ConvertAll(values, value => value / 255) };
    })];

    /// <summary>An image as ML.NET reads it.</summary>
    public sealed class Row
    {
        public int Label { get; set; }

        public float[] Features { get; set; } = [];
    }
}
