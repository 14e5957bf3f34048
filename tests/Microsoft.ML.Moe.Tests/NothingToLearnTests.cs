using Microsoft.ML.Data;
using Microsoft.ML.Moe.Tests.Features;
using Microsoft.ML.Moe.Tests.GeneratorTuning;
using Microsoft.ML.Moe.Tests.ImageClassification;

namespace Microsoft.ML.Moe.Tests;

/// <summary>Tables that tell nothing: the message names the table, the column, and what to look at.</summary>
public sealed class NothingToLearnTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public NothingToLearnTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Fact]
    public void A_file_read_with_a_wrong_separator()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["rows.csv"], Enumerable.Range(0, 120).Select(i => $"{Tables.Classes[i % 3]},{Tables.Rows(120)[i].Text} {i}"));
        var data = _ml.Data.LoadFromTextFile<LoadedRow>(folder["rows.csv"]);
        AssertNames(
            () => Models.Pipeline(_ml).Fit(data), "All 120 texts in column 'Text' of the training set are blank", "is the separator right");
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData(" \t ")]
    public void Blank_texts(string? text)
    {
        AssertNames(() => Models.Pipeline(_ml).Fit(Texts(_ => text)), "All 90 texts in column 'Text'", "blank", "separator");
        AssertNames(
            () => Models.Pipeline(_ml, o => o.ValidationSet = Texts(_ => text)).Fit(Texts(row => row.Text)),
            "All 90 texts in column 'Text' of the validation set are blank");
        AssertNames(
            () => _ml.Transforms.Text.PretrainMoeEncoder(new MoeTextPretrainer.Options { MaxEpochs = 1, Width = 16 }).Fit(Texts(_ => text)),
            "Column 'Text' has 90 rows, 90 of them blank",
            "separator");
    }

    [Fact]
    public void Texts_that_are_all_the_same_or_of_which_none_counts()
    {
        AssertNames(() => Models.Pipeline(_ml).Fit(Texts(_ => "the same")), "All 90 texts in column 'Text'", "are the same");
        AssertNames(
            () => Models.Pipeline(_ml, o => o.WeightColumnName = "Weight").Fit(Texts(row => row.Text, weight: _ => 0f)),
            "All 90 rows of the training set have weight 0 in column 'Weight'");
        AssertNames(
            () => Models.Pipeline(_ml, o => o.WeightColumnName = "Weight").Fit(Texts(row => row.Text, weight: row => row.Label == "food" ? 1f : 0f)),
            "All training rows of weight over 0 have the same label in column 'Label', food");
    }

    [Fact]
    public void Labels_that_are_whole_lines_are_an_error_and_others_of_which_each_is_alone_a_warning()
    {
        AssertNames(
            () => Models.Pipeline(_ml).Fit(Texts(row => row.Text, label: row => $"{row.Label},{row.Id}")),
            "Each of the 90 training rows has a label of its own in column 'Label', such as 'weather,0'",
            "separator");

        using var model = Models.Pipeline(_ml, o => o.MaxEpochs = 1).Fit(Texts(row => row.Text, label: row => $"{row.Id}"));
        Assert.Contains(_log, line => line.Contains("Warning: Each of the 90 training rows has a label of its own", StringComparison.Ordinal));
    }

    [Fact]
    public void Features_that_are_missing_or_all_the_same()
    {
        AssertNames(() => FeatureTables.Regression(_ml).Fit(Features(_ => ("", float.NaN, float.NaN))), "'Features'", "same features");
        AssertNames(() => Single(float.NaN), "All features of all 60 rows in column 'Features'", "are missing", "separator");
        AssertNames(() => Single(4f), "All 60 rows in column 'Features' of the training set have the same features");
        AssertNames(() => FeatureTables.Classes(_ml).Fit(Features(_ => ("red", 1f, 2f))), "'Features'", "same features");
        AssertNames(() => FeatureTables.Binary(_ml).Fit(Features(_ => ("red", 1f, 2f))), "'Features'", "same features");

        void Single(float value)
        {
            var data = Features(row => (row.Colour, value, row.Noise));
            _ml.Transforms.Concatenate("Features", "Size")
                .Append(_ml.Regression.Trainers.MoeRegressor(FeatureTables.Tiny<MoeRegressionTrainer.Options>(o => o.LabelColumnName = "Price")))
                .Fit(data);
        }
    }

    [Fact]
    public void Numbers_to_learn_that_are_all_the_same() => AssertNames(
        () => FeatureTables.Regression(_ml).Fit(Features(row => (row.Colour, row.Size, row.Noise), price: 3f)),
        "All 60 training rows have the same label in column 'Price', 3");

    [Fact]
    public void Images_that_are_all_the_same()
    {
        var rows = ImageTables.Rows(30);
        foreach (var row in rows)
            (row.Image, row.Features) = (rows[0].Image, rows[0].Features);
        AssertNames(() => ImageModels.Pipeline(_ml).Fit(_ml.Data.LoadFromEnumerable(rows)), "All 30 images in column 'Features'", "are the same");
        AssertNames(
            () => ImageModels.Pipeline(_ml, ImageModels.Files).Fit(_ml.Data.LoadFromEnumerable(rows)), "All 30 images in column 'Image'", "are the same");
    }

    [Fact]
    public void Prompts_and_targets_that_are_blank()
    {
        using var generators = new TunedGenerators();
        var rows = TunedGenerators.LetterRows(12);
        foreach (var row in rows)
            row.Source = " ";
        AssertNames(() => Fit(rows), "All 12 texts in column 'Source' of the training set are blank", "separator");
        rows = TunedGenerators.LetterRows(12);
        foreach (var row in rows)
            row.Target = "";
        AssertNames(() => Fit(rows), "all 12 rows of the training set lack text in column 'Target'", "separator");
        AssertNames(
            () => Fit(TunedGenerators.LetterRows(12), _ml.Data.LoadFromEnumerable(rows)), "all 12 rows of the validation set lack text");

        void Fit(List<TunedGenerators.LetterRow> table, IDataView? validation = null) => _ml.Transforms.Text.MoeTextToText(
            new MoeTextToTextTrainer.Options
            {
                Model = generators.Switch,
                SourceColumnName = "Source",
                TargetColumnName = "Target",
                MaxEpochs = 1,
                ValidationSet = validation,
            }).Fit(_ml.Data.LoadFromEnumerable(table));
    }

    [Fact]
    public void Validation_weights_that_are_all_0()
    {
        var zero = Texts(row => row.Text, weight: _ => 0f);
        AssertNames(
            () => Models.Pipeline(_ml, o => (o.WeightColumnName, o.ValidationSet) = ("Weight", zero)).Fit(Texts(row => row.Text)),
            "All 90 rows of the validation set have weight 0 in column 'Weight'");

        var rows = FeatureTables.Rows(60);
        foreach (var row in rows)
            row.Weight = 0f;
        var features = FeatureTables.Featurize(_ml).Fit(_ml.Data.LoadFromEnumerable(rows)).Transform(_ml.Data.LoadFromEnumerable(rows));
        AssertNames(
            () => FeatureTables.Regression(_ml, o => (o.ExampleWeightColumnName, o.ValidationSet) = ("Weight", features))
                .Fit(_ml.Data.LoadFromEnumerable(FeatureTables.Rows(60))),
            "All 60 rows of the validation set have weight 0 in column 'Weight'");
    }

    private static void AssertNames(Action fit, params string[] parts)
    {
        var error = Assert.Throws<InvalidOperationException>(fit);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain("(Parameter", error.Message, StringComparison.Ordinal);
    }

    private IDataView Texts(Func<Row, string?> text, Func<Row, string?>? label = null, Func<Row, float>? weight = null)
    {
        var rows = Tables.Rows();
        foreach (var row in rows)
            (row.Text, row.Label, row.Weight) = (text(row), label is null ? row.Label : label(row), weight?.Invoke(row) ?? 1f);
        return _ml.Data.LoadFromEnumerable(rows);
    }

    private IDataView Features(Func<FeatureRecord, (string Colour, float Size, float Noise)> change, float? price = null)
    {
        var rows = FeatureTables.Rows(60);
        foreach (var row in rows)
            ((row.Colour, row.Size, row.Noise), row.Price) = (change(row), price ?? row.Price);
        return _ml.Data.LoadFromEnumerable(rows);
    }

    private sealed class LoadedRow
    {
        [LoadColumn(0)]
        public string? Label { get; set; }

        [LoadColumn(1)]
        public string? Text { get; set; }
    }
}
