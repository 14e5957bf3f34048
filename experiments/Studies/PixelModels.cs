using Microsoft.ML.Data;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>ML.NET's own trainers with their defaults, on the pixels of images divided by 255.</summary>
internal static class PixelModels
{
    /// <summary>Boosted trees, as accuracy on the test rows. Its threads are its own: as many as there are processors.</summary>
    public static double LightGbm(ImageSet set, int seed) =>
        Accuracy(set, seed, context => context.MulticlassClassification.Trainers.LightGbm());

    /// <summary>A linear model, as accuracy on the test rows.</summary>
    public static double Linear(ImageSet set, int seed) =>
        Accuracy(set, seed, context => context.MulticlassClassification.Trainers.SdcaMaximumEntropy());

    private static double Accuracy<T>(ImageSet set, int seed, Func<MLContext, IEstimator<T>> trainer)
        where T : class, ITransformer
    {
        var context = new MLContext(seed);
        var model = context.Transforms.Conversion.MapValueToKey("Label").Append(trainer(context)).Fit(Load(set.Training));
        return context.MulticlassClassification.Evaluate(model.Transform(Load(set.Test))).MicroAccuracy;

        IDataView Load(IEnumerable<Example<ImagePixels>> rows)
        {
            var schema = SchemaDefinition.Create(typeof(Row));
            schema[nameof(Row.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, set.Input.Length);
            // trainers pass over them many times
            return context.Data.LoadFromEnumerable(rows.Select(Of).ToList(), schema);
        }
    }

    private static Row Of(Example<ImagePixels> example)
    {
        var values = new float[example.Input.Length];
        example.Input.CopyTo(values);
        return new Row { Label = (int)example.Target, Features = Array.ConvertAll(values, value => value / 255) };
    }

    private sealed class Row
    {
        public int Label { get; set; }

        public float[] Features { get; set; } = [];
    }
}
