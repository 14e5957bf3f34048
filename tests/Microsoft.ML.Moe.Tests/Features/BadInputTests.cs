using Microsoft.ML.Data;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>What cannot be learned or scored, and what is said then; and what looks wrong but can.</summary>
public sealed class BadInputTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void A_missing_column_or_one_of_the_wrong_type_is_named()
    {
        var data = Featurized();
        AssertNames("Nothing", () => Regressor(o => o.FeatureColumnName = "Nothing").Fit(data));
        AssertNames("Colour", () => Regressor(o => o.FeatureColumnName = "Colour").Fit(data));
        AssertNames("Colour", () => Regressor(o => o.LabelColumnName = "Colour").Fit(data));
        AssertNames("Colour", () => Regressor(o => o.ExampleWeightColumnName = "Colour").Fit(data));
        AssertNames("Price", () => _ml.BinaryClassification.Trainers.MoeBinaryClassifier("Price").Fit(data));
        AssertNames("IsLarge", () => _ml.MulticlassClassification.Trainers.MoeClassifier("IsLarge").Fit(data));
        var shape = SchemaAssert.ShapeOf(data.Schema);
        AssertNames("Colour", () => Regressor(o => o.FeatureColumnName = "Colour").GetOutputSchema(shape));
        AssertNames("Price", () => _ml.BinaryClassification.Trainers.MoeBinaryClassifier("Price").GetOutputSchema(shape));
    }

    [Fact]
    public void A_vector_of_another_size_is_refused_when_scoring()
    {
        using var model = Regressor().Fit(Featurized());
        var other = _ml.Transforms.Concatenate("Features", "Size", "Noise");
        var data = _ml.Data.LoadFromEnumerable(FeatureTables.Rows());
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => model.Transform(other.Fit(data).Transform(data)));
        Assert.Contains("2 slots; the model was trained on 5", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_category_that_is_no_slot_is_named()
    {
        AssertNames("Nothing", () => Regressor(o => o.CategoricalSlots = ["Size", "Nothing"]).Fit(Featurized()));
        AssertNames("5", () => Regressor(o => o.CategoricalSlots = ["5"]).Fit(Featurized()));
    }

    [Fact]
    public void A_label_that_says_nothing_is_an_error_that_names_the_column()
    {
        var rows = FeatureTables.Rows(60);
        foreach (var row in rows)
            row.IsLarge = true;
        var error = Assert.Throws<InvalidOperationException>(() => FeatureTables.Binary(_ml).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("IsLarge", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(
            () => FeatureTables.Regression(_ml).Fit(_ml.Data.LoadFromEnumerable(Array.Empty<FeatureRecord>())));
    }

    [Fact]
    public void Features_that_are_all_alike_are_an_error()
    {
        var rows = FeatureTables.Rows(60);
        foreach (var row in rows)
            (row.Colour, row.Size, row.Noise) = ("red", 1f, float.NaN);
        var error = Assert.Throws<InvalidOperationException>(() => FeatureTables.Regression(_ml).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("same features", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_without_a_label_are_left_out_and_missing_huge_and_infinite_values_are_no_harm()
    {
        var rows = FeatureTables.Rows();
        for (var i = 0; i < rows.Count; i++)
        {
            if (i % 10 == 0)
                rows[i].Price = float.NaN;
            rows[i].Noise = (i % 5) switch
            {
                0 => float.NaN,
                1 => float.PositiveInfinity,
                2 => float.NegativeInfinity,
                3 => float.MaxValue,
                _ => 1e-30f,
            };
        }

        using var model = FeatureTables.Regression(_ml).Fit(_ml.Data.LoadFromEnumerable(rows));
        var scores = FeatureTables.Scores(model.Transform(_ml.Data.LoadFromEnumerable(rows)));
        Assert.All(scores, score => Assert.True(float.IsFinite(score)));
        var known = rows.Zip(scores).Where(pair => !float.IsNaN(pair.First.Price)).ToList();
        Assert.True(known.Average(pair => Math.Abs(pair.First.Price - pair.Second)) < 1.5);
    }

    [Fact]
    public void Options_out_of_range_are_named()
    {
        Assert.Equal("Members", Assert.Throws<ArgumentOutOfRangeException>(() => Regressor(o => o.Members = 0)).ParamName);
        Assert.Equal("Bins", Assert.Throws<ArgumentOutOfRangeException>(() => Regressor(o => o.Bins = 1000)).ParamName);
        Assert.Equal("EmbeddingWidth", Assert.Throws<ArgumentOutOfRangeException>(() => Regressor(o => o.EmbeddingWidth = -1)).ParamName);
        Assert.Throws<ArgumentException>(() => Regressor(o => o.SpreadColumnName = "Score"));
        Assert.Throws<ArgumentException>(() => Regressor(o => (o.EarlyStoppingPatience, o.ValidationShare) = (2, 0)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Regressor(o => o.Router = Router.TokenChoice(5)));
    }

    [Fact]
    public void A_damaged_file_is_named()
    {
        using var model = Regressor().Fit(Featurized());
        using var stream = new MemoryStream();
        _ml.Model.Save(model, null, stream);
        var zip = stream.ToArray();
        foreach (var file in new[] { "Config.json", "Weights.safetensors", "Columns.json" })
            Zip.AssertLoadingNames(file, Zip.With(zip, file, content => [.. content.Skip(1)]));
    }

    private MoeRegressionTrainer Regressor(Action<MoeRegressionTrainer.Options>? change = null) =>
        _ml.Regression.Trainers.MoeRegressor(FeatureTables.Tiny<MoeRegressionTrainer.Options>(options =>
        {
            (options.LabelColumnName, options.MaxEpochs) = ("Price", 1);
            change?.Invoke(options);
        }));

    private IDataView Featurized()
    {
        var data = _ml.Data.LoadFromEnumerable(FeatureTables.Rows(60));
        return FeatureTables.Featurize(_ml).Fit(data).Transform(data);
    }

    private static void AssertNames(string column, Action action) =>
        Assert.Contains($"'{column}'", Assert.Throws<ArgumentOutOfRangeException>(action).Message, StringComparison.Ordinal);
}
