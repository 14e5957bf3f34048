using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>ML.NET's own: FeaturizeText and SdcaMaximumEntropy with their defaults.</summary>
internal static class MlNetLinearModel
{
    /// <summary>Trains and gives the test rows' probabilities, rows × classes in the order of the labels.</summary>
    public static float[] Score(TextSet set, int seed)
    {
        var context = new MLContext(seed);
        var key = context.Transforms.Conversion.MapValueToKey(
            "Label", keyOrdinality: ValueToKeyMappingEstimator.KeyOrdinality.ByValue);
        var features = set.IsPairs
            ? key.Append(context.Transforms.Text.FeaturizeText("First"))
                .Append(context.Transforms.Text.FeaturizeText("Second"))
                .Append(context.Transforms.Concatenate("Features", "First", "Second"))
            : (IEstimator<ITransformer>)key.Append(context.Transforms.Text.FeaturizeText("Features", "First"));
        var model = features.Append(context.MulticlassClassification.Trainers.SdcaMaximumEntropy()).Fit(Load(set.Train));
        var scored = context.Data.CreateEnumerable<Scored>(model.Transform(Load(set.Test)), reuseRowObject: false);
        return [.. scored.SelectMany(row => row.Score)];

        IDataView Load(IEnumerable<LabelledText> rows) => context.Data.LoadFromEnumerable(
            rows.Select(row => new Row { Label = row.Label, First = row.First, Second = row.Second ?? "" }));
    }

    private sealed class Row
    {
        public string Label { get; set; } = "";

        public string First { get; set; } = "";

        public string Second { get; set; } = "";
    }

    private sealed class Scored
    {
        public float[] Score { get; set; } = [];
    }
}
