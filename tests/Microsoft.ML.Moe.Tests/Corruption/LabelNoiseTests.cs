using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Corruption;

/// <summary>Wrong labels.</summary>
public sealed class LabelNoiseTests
{
    private static readonly LabelNoise Noise = new() { Share = 0.3, Seed = 2 };

    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData("Label")]
    [InlineData("Number")]
    [InlineData("Flag")]
    [InlineData("Key")]
    public void AShareOfTheRowsGetsALabelOfAnotherClass(string column)
    {
        var source = Table(3000);
        var table = _ml.Data.CorruptLabels(source, column, Noise, "IsWrong");
        string[] before = Texts(source, column), after = Texts(table, column);
        bool[] wrong = [.. table.GetColumn<bool>("IsWrong")];
        Assert.Equal(before.Zip(after).Select(pair => pair.First != pair.Second), wrong);
        Assert.Equal(0.3, wrong.Average(w => w ? 1.0 : 0), 0.03);
        Assert.Equal(before.Distinct().Order(), after.Distinct().Order());
        Assert.Equal(after, Texts(table, column));
    }

    [Fact]
    public void AnotherClassIsDrawnUniformlyOrByTheClassesShares()
    {
        // a of 6, b of 3 and c of 1 in ten rows
        var rows = Enumerable.Range(0, 10000).Select(i => new Row { Id = i, Label = "aaaaaabbbc"[i % 10].ToString() });
        var source = _ml.Data.LoadFromEnumerable(rows);
        Assert.Equal(0.5, ShareOfB(CorruptionDraw.Uniform), 0.03);
        Assert.Equal(0.75, ShareOfB(CorruptionDraw.ByFrequency), 0.03);

        double ShareOfB(CorruptionDraw draw)
        {
            var table = _ml.Data.CorruptLabels(source, "Label", new LabelNoise { Share = 0.5, Draw = draw });
            string[] become = [.. source.GetColumn<string>("Label").Zip(table.GetColumn<string>("Label"))
                .Where(pair => pair.First == "a" && pair.Second != "a").Select(pair => pair.Second)];
            return become.Count(label => label == "b") / (double)become.Length;
        }
    }

    [Fact]
    public void RowsOfASmallerShareAreAmongThoseOfALargerWithTheSameLabels()
    {
        var source = Table(2000);
        string[] few = [.. _ml.Data.CorruptLabels(source, "Label", Noise).GetColumn<string>("Label")];
        string[] many = [.. _ml.Data.CorruptLabels(source, "Label", Noise with { Share = 0.6 }).GetColumn<string>("Label")];
        var own = source.GetColumn<string>("Label").ToList();
        Assert.All(Enumerable.Range(0, own.Count), i => Assert.True(few[i] == own[i] || few[i] == many[i]));
        Assert.Equal(own, _ml.Data.CorruptLabels(source, "Label", Noise with { Share = 0 }).GetColumn<string>("Label"));
        Assert.All(own.Zip(_ml.Data.CorruptLabels(source, "Label", Noise with { Share = 1 }).GetColumn<string>("Label")),
            pair => Assert.NotEqual(pair.First, pair.Second));
    }

    [Fact]
    public void KeysKeepTheirValuesAndMissingLabelsStayMissing()
    {
        var rows = Enumerable.Range(0, 300).Select(i => new Row { Id = i, Label = i % 3 == 2 ? "" : $"class {i % 3}" }).ToList();
        var source = Keyed(rows);
        var table = _ml.Data.CorruptLabels(source, "Key", Noise with { Share = 1 });
        Assert.Equal(source.Schema["Key"].Type, table.Schema["Key"].Type);
        uint[] before = [.. source.GetColumn<uint>("Key")], after = [.. table.GetColumn<uint>("Key")];
        Assert.All(before.Zip(after), pair => Assert.Equal(pair.First == 0 ? 0u : 3 - pair.First, pair.Second));
        var values = _ml.Transforms.Conversion.MapKeyToValue("Value", "Key").Fit(table).Transform(table).GetColumn<string>("Value");
        Assert.Equal(["class 0", "class 1"], values.Where(value => value.Length > 0).Distinct().Order());

        var texts = _ml.Data.CorruptLabels(_ml.Data.LoadFromEnumerable(rows), "Label", Noise with { Share = 1 }).GetColumn<string>("Label");
        Assert.Equal(rows.Select(row => row.Label!.Length == 0), texts.Select(text => text.Length == 0));
    }

    [Fact]
    public void AClassifierCanBeTrainedOnThem()
    {
        var table = Keyed(Tables.Rows(150));
        var noisy = _ml.Data.CorruptLabels(table, "Key", new LabelNoise { Share = 0.2 });
        var trainer = _ml.Transforms.Text.FeaturizeText("Features", "Text").AppendCacheCheckpoint(_ml)
            .Append(_ml.MulticlassClassification.Trainers.SdcaMaximumEntropy("Key"));
        var metrics = _ml.MulticlassClassification.Evaluate(trainer.Fit(noisy).Transform(table), "Key");
        Assert.True(metrics.MicroAccuracy > 0.75, $"{metrics.MicroAccuracy}");
    }

    [Fact]
    public void WhatCannotBeALabelIsRefused()
    {
        var table = Table(9);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.CorruptLabels(table, "Weight", Noise));
        Assert.Contains("'Weight'", error.Message);
        Assert.Contains("key", error.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.CorruptLabels(table, "Nowhere", Noise));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.CorruptLabels(table, "Vector", Noise));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LabelNoise { Share = 1.5 });
        var single = _ml.Data.CorruptLabels(
            _ml.Data.LoadFromEnumerable(Enumerable.Repeat(new Row { Label = "same" }, 50)), "Label", Noise with { Share = 1 });
        Assert.Contains("'Label'", Assert.Throws<InvalidOperationException>(() => single.GetColumn<string>("Label").ToList()).Message);
    }

    private IDataView Table(int rows) => Keyed(Tables.Rows(rows));

    private IDataView Keyed(List<Row> rows)
    {
        var table = _ml.Data.LoadFromEnumerable(rows);
        return _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Fit(table).Transform(table);
    }

    private static string[] Texts(IDataView table, string column) => column switch
    {
        "Label" => [.. table.GetColumn<string>(column)],
        "Number" => [.. table.GetColumn<int>(column).Select(value => $"{value}")],
        "Flag" => [.. table.GetColumn<bool>(column).Select(value => $"{value}")],
        _ => [.. table.GetColumn<uint>(column).Select(value => $"{value}")],
    };
}
