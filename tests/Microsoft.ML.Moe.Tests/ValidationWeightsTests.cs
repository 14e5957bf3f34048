using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.ImageClassification;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests;

/// <summary>Weights count in validation as they do in training.</summary>
public sealed class ValidationWeightsTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<EpochReport> _reports = [];

    [Fact]
    public void Validation_rows_of_texts_count_by_their_weight()
    {
        var (clean, mixed) = Sets<Row>(Tables.Rows(60, seed: 2), row => row.Label = Tables.Classes[(row.Id + 1) % 3], (row, weight) => row.Weight = weight);
        AssertSameChoice(clean, mixed, set => Models.Fit(_ml, o => (o.ValidationSet, o.WeightColumnName, o.EpochCompleted) = (set, "Weight", _reports.Add)));
    }

    [Fact]
    public void Validation_images_count_by_their_weight()
    {
        var (clean, mixed) = Sets<ImageRow>(ImageTables.Rows(60, seed: 2), row => row.Label = ImageTables.Classes[(row.Id + 1) % 3], (row, weight) => row.Weight = weight);
        AssertSameChoice(clean, mixed, set => ImageModels.Fit(_ml, o => (o.ValidationSet, o.WeightColumnName, o.EpochCompleted) = (set, "Weight", _reports.Add)));
    }

    [Fact]
    public void Validation_rows_of_features_count_by_their_weight()
    {
        var rows = _ml.Data.LoadFromEnumerable(FeatureTables.Rows());
        var made = FeatureTables.Featurize(_ml).Fit(rows);
        var (clean, mixed) = Sets<FeatureRecord>(
            FeatureTables.Rows(80, seed: 2),
            row => (row.Label, row.IsLarge, row.Price) = (row.Label == "red" ? "big" : "red", !row.IsLarge, -row.Price),
            (row, weight) => row.Weight = weight);
        (clean, mixed) = (made.Transform(clean), made.Transform(mixed));
        AssertSameChoice(clean, mixed, set => FeatureTables.Classes(_ml, o => Set(o, set)).Fit(rows));
        AssertSameChoice(clean, mixed, set => FeatureTables.Binary(_ml, o => Set(o, set)).Fit(rows));
        AssertSameChoice(clean, mixed, set => FeatureTables.Regression(_ml, o => Set(o, set)).Fit(rows));

        void Set(MoeFeatureOptions options, IDataView set) =>
            (options.ValidationSet, options.ExampleWeightColumnName, options.EpochCompleted) = (set, "Weight", _reports.Add);
    }

    [Fact]
    public void Rows_of_weight_0_are_as_if_they_were_not_there_when_rows_are_held_out()
    {
        var rows = Tables.Rows(120);
        var more = rows.SelectMany(row => new[] { row, new Row { Text = row.Text, Label = Tables.Classes[(row.Id + 1) % 3], Weight = 0f } });
        AssertSameChoice(
            _ml.Data.LoadFromEnumerable(rows),
            _ml.Data.LoadFromEnumerable(more),
            table => Models.Pipeline(_ml, o => (o.ValidationShare, o.WeightColumnName, o.EpochCompleted) = (0.25f, "Weight", _reports.Add)).Fit(table));

        var records = FeatureTables.Rows(120);
        var moreRecords = records.SelectMany(row => new[] { row, new FeatureRecord { Colour = row.Colour, Price = 99f, Weight = 0f } });
        AssertSameChoice(
            _ml.Data.LoadFromEnumerable(records),
            _ml.Data.LoadFromEnumerable(moreRecords),
            table => FeatureTables.Regression(_ml, o => (o.ExampleWeightColumnName, o.EpochCompleted) = ("Weight", _reports.Add)).Fit(table));
    }

    [Fact]
    public void A_weight_of_2_is_a_row_twice()
    {
        var rows = Tables.Rows(60, seed: 2);
        rows[3].Label = "food";
        var twice = rows.Append(rows[3]).ToList();
        var once = Tables.Rows(60, seed: 2);
        (once[3].Label, once[3].Weight) = ("food", 2f);
        AssertSameChoice(
            _ml.Data.LoadFromEnumerable(twice),
            _ml.Data.LoadFromEnumerable(once),
            set => Models.Fit(_ml, o => (o.ValidationSet, o.WeightColumnName, o.EpochCompleted, o.LinearBranch) = (set, "Weight", _reports.Add, false)));
    }

    /// <summary>Rows, and the same rows among others that are wrong and count nothing.</summary>
    private (IDataView Clean, IDataView Mixed) Sets<T>(List<T> rows, Action<T> spoil, Action<T, float> weigh)
        where T : class
    {
        var half = rows.Count / 2;
        var clean = _ml.Data.LoadFromEnumerable(rows[..half]);
        foreach (var row in rows[half..])
        {
            spoil(row);
            weigh(row, 0f);
        }

        return (clean, _ml.Data.LoadFromEnumerable(rows));
    }

    /// <summary>Both lead to the same reports: losses, metrics, and which epoch is the best.</summary>
    private void AssertSameChoice(IDataView one, IDataView other, Func<IDataView, IDisposable> fit)
    {
        var expected = Reports(one);
        var actual = Reports(other);
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.Equal(e.ValidationLoss!.Value, a.ValidationLoss!.Value, 1e-6);
            Assert.Equal(e.ValidationAccuracy!.Value, a.ValidationAccuracy!.Value, 1e-6);
            Assert.Equal(e.IsBest, a.IsBest);
        }

        List<EpochReport> Reports(IDataView table)
        {
            _reports.Clear();
            fit(table).Dispose();
            Assert.NotEmpty(_reports);
            return [.. _reports];
        }
    }
}
