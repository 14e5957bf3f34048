using Microsoft.ML.Data;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>Very many slots of which a row has few. What the process allocates is counted, so nothing runs beside.</summary>
[Collection(nameof(NothingBeside))]
public sealed class SparseTextTests
{
    [Fact]
    public void A_hundred_thousand_slots_of_text_are_learned_without_going_dense()
    {
        var ml = new MLContext(seed: 1);
        var random = new Random(1);
        string[] words = [.. Enumerable.Range(0, 3000).Select(i => $"word{i}")];
        var rows = Enumerable.Range(0, 300).Select(i => new Row
        {
            Id = i,
            Label = i % 2 == 0 ? "even" : "odd",
            Text = string.Join(' ', Enumerable.Range(0, 12).Select(_ => words[random.Next(3000)])) + (i % 2 == 0 ? " sunny" : " rainy"),
        }).ToList();
        var data = ml.Data.LoadFromEnumerable(rows);
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.Transforms.Text.TokenizeIntoWords("Words", "Text"))
            .Append(ml.Transforms.Conversion.MapValueToKey("Words"))
            .Append(ml.Transforms.Text.ProduceHashedNgrams("Features", "Words", numberOfBits: 17))
            .Append(ml.MulticlassClassification.Trainers.MoeClassifier(
                FeatureTables.Tiny<MoeFeatureClassificationTrainer.Options>(o => o.MaxEpochs = 10)));
        var before = GC.GetTotalAllocatedBytes();
        using var model = pipeline.Fit(data);
        Assert.True(GC.GetTotalAllocatedBytes() - before < 300L * 131_072 * sizeof(float), "dense rows would take more");
        Assert.True(ml.MulticlassClassification.Evaluate(model.Transform(data)).MicroAccuracy > 0.95);
        using var again = (IDisposable)FeatureTables.Reload(ml, model);
        Assert.Equal(
            model.Transform(data).GetColumn<float[]>("Score"), ((ITransformer)again).Transform(data).GetColumn<float[]>("Score"));
    }
}
