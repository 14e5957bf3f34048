using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Input that cannot be trained on or scored: the message says what is wrong and where.</summary>
public sealed class BadInputTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void AnEmptyTable()
    {
        var error = Assert.Throws<InvalidOperationException>(() => FitKeyed(Enumerable.Empty<Row>(), trainOn: Tables.Rows()));
        Assert.Equal("The training data has no rows.", error.Message);
    }

    [Fact]
    public void OneKeyValueOnly()
    {
        var rows = Tables.Rows().Where(r => r.Label == "food");
        var error = Assert.Throws<InvalidOperationException>(() => Models.Pipeline(_ml).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("'Label'", error.Message, StringComparison.Ordinal);
        Assert.Contains("two classes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneClassAmongTheRows()
    {
        var error = Assert.Throws<InvalidOperationException>(
            () => FitKeyed(Tables.Rows().Where(r => r.Label == "food"), trainOn: Tables.Rows()));
        Assert.Contains("'Label', food", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AllLabelsMissing()
    {
        var error = Assert.Throws<InvalidOperationException>(
            () => FitKeyed(Tables.Rows().Select(r => new Row { Text = r.Text, Label = null }), trainOn: Tables.Rows()));
        Assert.Equal("All 90 training rows lack a label in column 'Label'; is the separator right?", error.Message);
    }

    [Theory]
    [InlineData("Text", "String")]
    [InlineData("Number", "Int32")]
    [InlineData("Vector", "Vector")]
    public void ALabelThatIsNotAKey(string column, string type)
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        AssertRefused(data, o => o.LabelColumnName = column, $"'{column}'", type, $"MapValueToKey(\"{column}\")", o => o.Sentence1ColumnName = "Second");
    }

    [Fact]
    public void AVectorOfKeysAsLabel()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        data = _ml.Transforms.Conversion.MapValueToKey("Vector").Fit(data).Transform(data);
        AssertRefused(data, o => o.LabelColumnName = "Vector", "'Vector'", "MapValueToKey");
    }

    [Theory]
    [InlineData("Number", "Int32")]
    [InlineData("Vector", "Vector")]
    [InlineData("Label", "Key")]
    public void ATextColumnThatIsNotText(string column, string type)
    {
        AssertRefused(Keyed(), o => o.Sentence1ColumnName = column, $"'{column}'", type, "text", o => o.LabelColumnName = column == "Label" ? "Key2" : "Label");
        AssertRefused(Keyed(), o => o.Sentence2ColumnName = column, $"'{column}'", type, "text", o => o.LabelColumnName = column == "Label" ? "Key2" : "Label");
    }

    [Fact]
    public void MissingColumns()
    {
        AssertRefused(Keyed(), o => o.LabelColumnName = "Nowhere", "no label column 'Nowhere'", "Id");
        AssertRefused(Keyed(), o => o.Sentence1ColumnName = "Nowhere", "no text column 'Nowhere'", "Id");
        AssertRefused(Keyed(), o => o.Sentence2ColumnName = "Nowhere", "no text column 'Nowhere'", "Id");
        AssertRefused(Keyed(), o => o.WeightColumnName = "Nowhere", "no weight column 'Nowhere'", "Id");
    }

    [Theory]
    [InlineData("Number", "Int32")]
    [InlineData("Second", "String")]
    [InlineData("Flag", "Boolean")]
    public void AWeightColumnThatIsNotASingle(string column, string type) =>
        AssertRefused(Keyed(), o => o.WeightColumnName = column, $"'{column}'", type, "Single");

    [Theory]
    [InlineData(-1f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void ImpossibleWeights(float weight)
    {
        var rows = Tables.Rows();
        rows[7].Weight = weight;
        var error = Assert.Throws<InvalidOperationException>(
            () => Models.Pipeline(_ml, o => o.WeightColumnName = "Weight").Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("Row 8", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Weight'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TooManyKeyValues()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows().Select(r => new ManyKeys { Text = r.Text, Label = (uint)r.Id }));
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Models.Trainer(_ml).Fit(data));
        Assert.Contains("'Label' has 100001 key values", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Number", "Int32")]
    [InlineData("Label", "Key")]
    public void ScoringATableWhoseTextIsNotText(string column, string type)
    {
        using var model = Models.Trainer(_ml).Fit(Keyed());
        var data = _ml.Transforms.CopyColumns("Text", column).Fit(Keyed()).Transform(Keyed());
        AssertScoringRefused(model, data, "'Text'", type);
    }

    [Fact]
    public void ScoringATableWithoutText()
    {
        using var model = Models.Trainer(_ml).Fit(Keyed());
        AssertScoringRefused(model, _ml.Data.LoadFromEnumerable(new[] { new FreshProcess.ScoreOnly() }), "no text column 'Text'", "Score");
    }

    [Fact]
    public void NothingAtAll()
    {
        using var model = Models.Trainer(_ml).Fit(Keyed());
        Assert.Throws<ArgumentNullException>(() => Models.Trainer(_ml).Fit(null!));
        Assert.Throws<ArgumentNullException>(() => Models.Trainer(_ml).GetOutputSchema(null!));
        Assert.Throws<ArgumentNullException>(() => model.Transform(null!));
        Assert.Throws<ArgumentNullException>(() => model.GetOutputSchema(null!));
        Assert.Throws<ArgumentNullException>(() => ((ITransformer)model).GetRowToRowMapper(null!));
    }

    [Fact]
    public void ARowOfAnotherSchema()
    {
        var data = Keyed();
        using var model = Models.Trainer(_ml).Fit(data);
        var mapper = ((ITransformer)model).GetRowToRowMapper(data.Schema);
        var other = Keyed();
        using var row = other.GetRowCursor(other.Schema);
        Assert.Throws<ArgumentException>(() => mapper.GetRow(row, mapper.OutputSchema));
    }

    [Fact]
    public void ALossThatIsNoLongerFinite()
    {
        var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o =>
        {
            o.LearningRate = 1e30f;
            o.WarmupShare = 0;
            o.MaxEpochs = 10;
        }));
        Assert.Contains("epoch", error.Message, StringComparison.Ordinal);
        Assert.Contains("LearningRate", error.Message, StringComparison.Ordinal);
    }

    private IDataView Keyed()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.Transforms.Conversion.MapValueToKey("Key2", "Number"));
        return pipeline.Fit(data).Transform(data);
    }

    /// <summary>Fits the trainer on rows whose keys come from another table.</summary>
    private MoeTextClassificationTransformer FitKeyed(IEnumerable<Row> rows, IEnumerable<Row> trainOn)
    {
        var keys = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(_ml.Data.LoadFromEnumerable(trainOn));
        return Models.Trainer(_ml).Fit(keys.Transform(_ml.Data.LoadFromEnumerable(rows)));
    }

    /// <summary>Both <c>Fit</c> and <c>GetOutputSchema</c> refuse the table with a message that holds all the parts.</summary>
    private void AssertRefused(
        IDataView data,
        Action<MoeTextClassificationTrainer.Options> change,
        string first,
        string second,
        string third = "",
        Action<MoeTextClassificationTrainer.Options>? before = null)
    {
        var trainer = Models.Trainer(_ml, o =>
        {
            before?.Invoke(o);
            change(o);
        });
        foreach (var error in new[]
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => trainer.Fit(data)),
            Assert.Throws<ArgumentOutOfRangeException>(() => trainer.GetOutputSchema(SchemaAssert.ShapeOf(data.Schema))),
        })
            Assert.All([first, second, third], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    private static void AssertScoringRefused(ITransformer model, IDataView data, params string[] parts)
    {
        foreach (var error in new[]
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => model.Transform(data)),
            Assert.Throws<ArgumentOutOfRangeException>(() => model.GetOutputSchema(data.Schema)),
            Assert.Throws<ArgumentOutOfRangeException>(() => model.GetRowToRowMapper(data.Schema)),
        })
            Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    private sealed class ManyKeys
    {
        public string? Text { get; set; }

        [KeyType(100_001)]
        public uint Label { get; set; }
    }
}
