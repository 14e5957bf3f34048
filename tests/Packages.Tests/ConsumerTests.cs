using Microsoft.ML;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Packages.Tests;

/// <summary>What a user does with the packages.</summary>
public sealed class ConsumerTests
{
    [Fact]
    public void ModelIsFittedSavedLoadedAndUsed()
    {
        var ml = new MLContext(seed: 1);
        var table = ml.Data.LoadFromEnumerable(Enumerable.Range(0, 60).Select(i => i % 2 == 0
            ? new Row { Label = "warm", Text = $"a red fire, number {i}" }
            : new Row { Label = "cold", Text = $"a blue lake, number {i}" }));
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(sentence1ColumnName: "Text"))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var model = pipeline.Fit(table);
        var file = Path.GetTempFileName();
        try
        {
            ml.Model.Save(model, table.Schema, file);
            var loaded = new MLContext().Model.Load(file, out _);
            using var engine = ml.Model.CreatePredictionEngine<Row, Prediction>(loaded);
            Assert.Equal("warm", engine.Predict(new Row { Text = "a red fire" }).PredictedLabel);
            Assert.Equal("cold", engine.Predict(new Row { Text = "a blue lake" }).PredictedLabel);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private sealed class Row
    {
        public string Label { get; set; } = "";

        public string Text { get; set; } = "";
    }

    private sealed class Prediction
    {
        public string PredictedLabel { get; set; } = "";
    }
}
