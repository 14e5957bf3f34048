using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Labels of all kinds.</summary>
public sealed class LabelTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public LabelTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Theory]
    [InlineData(nameof(Row.Label), "weather|food|travel")]
    [InlineData(nameof(Row.Number), "30|20|10")]
    [InlineData(nameof(Row.Flag), "False|True")]
    [InlineData(nameof(Row.Weight), "1|2|3")]
    public void KeysOfAnyTypeComeBackAsSuch(string column, string values)
    {
        var rows = Tables.Rows();
        rows.ForEach(r => r.Weight = 1 + (r.Id % 3));
        var data = _ml.Data.LoadFromEnumerable(rows);
        using var model = Models.Pipeline(_ml, label: column).Fit(data);
        using var again = (IDisposable)Reload(model);
        foreach (var loaded in new[] { model, (ITransformer)again })
        {
            var schema = loaded.GetOutputSchema(data.Schema);
            Assert.Equal(values, SchemaAssert.AnnotationText(schema["PredictedLabel"].Annotations, "KeyValues"));
            Assert.Equal(data.Schema[column].Type, ItemType(schema["PredictedLabel"], "KeyValues"));
            Assert.Equal(data.Schema[column].Type, ItemType(schema["Score"], "TrainingLabelValues"));
            Assert.Equal(values.ToLowerInvariant(), SchemaAssert.AnnotationText(schema["Score"].Annotations, "SlotNames"));

            var scored = _ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(loaded.Transform(data)).Transform(loaded.Transform(data));
            Assert.Equal(data.Schema[column].Type, scored.Schema["PredictedLabel"].Type);
        }

        Assert.True(_ml.MulticlassClassification.Evaluate(model.Transform(data)).MicroAccuracy > 0.9);
    }

    [Fact]
    public void KeysWithoutValuesWork()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows().Select(r => new KeyRow { Text = r.Text, Label = (uint)(r.Id % 3) }));
        using var model = Models.Trainer(_ml).Fit(data);
        var schema = model.GetOutputSchema(data.Schema);
        Assert.Equal(4, model.ClassCount);
        Assert.Null(schema["PredictedLabel"].Annotations.Schema.GetColumnOrNull("KeyValues"));
        Assert.Null(schema["Score"].Annotations.Schema.GetColumnOrNull("SlotNames"));
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), Models.Trainer(_ml).GetOutputSchema(SchemaAssert.ShapeOf(data.Schema)));
        using var again = (IDisposable)Reload(model);
        SchemaAssert.Equal(schema, ((ITransformer)again).GetOutputSchema(data.Schema));
    }

    [Fact]
    public void KeysOfOtherWidthsWork()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows().Select(r => new ByteKeyRow { Text = r.Text, Label = (byte)(r.Id % 3) }));
        using var model = Models.Trainer(_ml).Fit(data);
        var predicted = model.Transform(data).GetColumn<uint>("PredictedLabel").ToList();
        var right = predicted.Zip(Tables.Rows(), (p, r) => p == (uint)(r.Id % 3) + 1).Count(same => same);
        Assert.True(right > 80, $"{right} right: {string.Join(' ', predicted)}");
    }

    [Fact]
    public void MoreKeyValuesThanClassesSeen()
    {
        var keys = _ml.Data.LoadFromEnumerable(new[] { "unseen", "weather", "food", "never", "travel" }.Select(l => new LabelOnly { Label = l }));
        var pipeline = _ml.Transforms.Conversion.MapValueToKey([new InputOutputColumnPair("Label")], keyData: keys).Append(Models.Trainer(_ml));
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        using var model = pipeline.Fit(data);
        var scored = model.Transform(data);
        Assert.Equal("unseen|weather|food|never|travel", SchemaAssert.AnnotationText(scored.Schema["Score"].Annotations, "SlotNames"));
        Assert.All(Models.Read(_ml, scored), r => Assert.True(r.Score[0] < 0.3 && r.Score[3] < 0.3));
        Assert.True(_ml.MulticlassClassification.Evaluate(scored).MicroAccuracy > 0.9);
    }

    [Fact]
    public void RowsWithoutALabelAreLeftOutAndCounted()
    {
        var rows = Tables.Rows();
        rows[3].Label = rows[7].Label = null;
        rows[8].Label = "";
        using var model = Models.Pipeline(_ml).Fit(_ml.Data.LoadFromEnumerable(rows));
        Assert.Contains(_log, l => l.StartsWith("Warning: 3 training rows are left out", StringComparison.Ordinal) && l.Contains("'Label'", StringComparison.Ordinal));

        using var without = Models.Pipeline(_ml).Fit(_ml.Data.LoadFromEnumerable(rows.Where(r => !string.IsNullOrEmpty(r.Label))));
        Models.AssertSame(Models.Score(_ml, without, Tables.Rows()), Models.Score(_ml, model, Tables.Rows()));
    }

    [Fact]
    public void BlankTextsAreKeptAndCounted()
    {
        var rows = Tables.Rows();
        rows[3].Text = null;
        rows[7].Text = "  ";
        using var model = Models.Pipeline(_ml).Fit(_ml.Data.LoadFromEnumerable(rows));
        Assert.Contains(_log, l => l.StartsWith("Warning: 2 training rows have missing or blank text in column 'Text'", StringComparison.Ordinal));
        Assert.Contains(_log, l => l.StartsWith("Info: Training on 90 rows", StringComparison.Ordinal));
    }

    [Fact]
    public void AMillionCharactersAreCutOffAndReported()
    {
        var rows = Tables.Rows();
        rows[5].Text = string.Concat(Enumerable.Repeat("rain sun ", 1 << 17));
        using var model = Models.Pipeline(_ml).Fit(_ml.Data.LoadFromEnumerable(rows));
        Assert.Contains(_log, l => l.StartsWith("Info: 1 training rows (1.1 %) are longer than MaximumTokens = 32", StringComparison.Ordinal));
    }

    private static PrimitiveDataViewType ItemType(DataViewSchema.Column column, string annotation) =>
        ((VectorDataViewType)column.Annotations.Schema[annotation].Type).ItemType;

    private ITransformer Reload(ITransformer model)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, null, stream);
        stream.Position = 0;
        return _ml.Model.Load(stream, out _);
    }

    private sealed class LabelOnly
    {
        public string? Label { get; set; }
    }

    /// <summary>Key properties count from 0; in the table, and in predictions, keys count from 1.</summary>
    private sealed class KeyRow
    {
        public string? Text { get; set; }

        [KeyType(4)]
        public uint Label { get; set; }
    }

    private sealed class ByteKeyRow
    {
        public string? Text { get; set; }

        [KeyType(3)]
        public byte Label { get; set; }
    }
}
