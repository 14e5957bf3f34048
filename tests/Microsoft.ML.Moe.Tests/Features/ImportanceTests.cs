using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>What a model needs, by permutations: ML.NET's of slots, and this library's of columns.</summary>
public sealed class ImportanceTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly IDataView _data;

    public ImportanceTests() => _data = _ml.Data.LoadFromEnumerable(FeatureTables.Rows());

    [Fact]
    public void MlNet_permutes_the_slots_of_the_transformer()
    {
        using var model = FeatureTables.Regression(_ml).Fit(_data);
        var scored = model.Transform(_data);
        var importance = _ml.Regression.PermutationFeatureImportance(model.LastTransformer, scored, "Price");
        Assert.Equal(5, importance.Length);
        Assert.True(importance[3].RootMeanSquaredError.Mean > importance[4].RootMeanSquaredError.Mean + 0.5, "size over noise");
    }

    [Fact]
    public void MlNet_permutes_the_slots_of_a_chain()
    {
        using var model = FeatureTables.Binary(_ml).Fit(_data);
        var importance = _ml.BinaryClassification.PermutationFeatureImportanceNonCalibrated(model, model.Transform(_data), "IsLarge");
        Assert.True(importance["Size"].AreaUnderRocCurve.Mean < importance["Noise"].AreaUnderRocCurve.Mean - 0.1, "size over noise");
    }

    [Fact]
    public void Columns_as_they_are_in_the_table_are_permuted()
    {
        using var model = FeatureTables.Regression(_ml).Fit(_data);
        var importance = _ml.Regression.GetFeatureImportance(model, _data, "Price", permutationCount: 2);
        Assert.Equal(["Size", "Colour", "Noise"], importance.Select(column => column.Column));
        Assert.True(importance[1].Increase > 0.3, $"colour {importance[1].Increase}");
        Assert.True(Math.Abs(importance[2].Increase) < 0.3, $"noise {importance[2].Increase}");
        Assert.Equal(importance, _ml.Regression.GetFeatureImportance(model, _data, "Price", permutationCount: 2));
    }

    [Fact]
    public void Columns_of_classifiers_are_permuted()
    {
        using var classes = FeatureTables.Classes(_ml).Fit(_data);
        using var binary = FeatureTables.Binary(_ml).Fit(_data);
        Assert.Equal("Size", _ml.MulticlassClassification.GetFeatureImportance(classes, _data)[0].Column);
        var importance = _ml.BinaryClassification.GetFeatureImportance(binary, _data, "IsLarge");
        Assert.Equal("Size", importance[0].Column);
        Assert.DoesNotContain(importance, column => column.Column == "Price");
    }

    [Fact]
    public void Impossible_requests_say_why()
    {
        using var model = FeatureTables.Regression(_ml).Fit(_data);
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Regression.GetFeatureImportance(model, _data, "Price", permutationCount: 0));
        var empty = _ml.Data.LoadFromEnumerable(Array.Empty<FeatureRecord>());
        Assert.Throws<InvalidOperationException>(() => _ml.Regression.GetFeatureImportance(model, empty, "Price"));
    }
}
