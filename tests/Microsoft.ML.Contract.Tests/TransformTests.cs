using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class TransformTests
{
    private readonly MLContext _ml = new(1);
    private readonly IDataView _data;

    public TransformTests() => _data = _ml.Data.LoadFromEnumerable(Row.Table(3));

    [Fact]
    public void ConcatenateJoinsScalarsAndVectors()
    {
        var result = _ml.Transforms.Concatenate("All", "Number", "Pair", "Number").Fit(_data).Transform(_data);
        Assert.Equal("Vector<Single, 4>", result.Schema["All"].Type.ToString());
        Assert.Equal([2f, 2, -2, 2], result.Values<float[]>("All")[2]);
        Assert.Equal(["Number", "", "", "Number"], result.Schema["All"].SlotNames());
        Assert.Equal(["Text", "Label", "Number", "Pair", "All"], result.Schema.Select(c => c.Name));
    }

    [Fact]
    public void ConcatenateNamesTheSlotsOfVectorsAfterTheirColumn()
    {
        var first = _ml.Transforms.Concatenate("Two", "Number", "Number").Fit(_data).Transform(_data);
        var result = _ml.Transforms.Concatenate("All", "Two", "Number").Fit(first).Transform(first);
        Assert.Equal(["Two.Number", "Two.Number", "Number"], result.Schema["All"].SlotNames());
    }

    [Fact]
    public void ConcatenateOfTextsAndOfOne()
    {
        var texts = _ml.Transforms.Concatenate("All", "Text", "Label").Fit(_data).Transform(_data);
        Assert.Equal(["text 1", "green"], texts.Values<string[]>("All")[1]);
        var one = _ml.Transforms.Concatenate("All", "Pair").Fit(_data).Transform(_data);
        Assert.Equal([1f, -1], one.Values<float[]>("All")[1]);
    }

    [Fact]
    public void ConcatenateOfVariableVectorsIsVariable()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new Open { Items = [1] }, new Open { Items = [2, 3] } });
        var result = _ml.Transforms.Concatenate("All", "Items", "Items").Fit(data).Transform(data);
        Assert.Equal("Vector<Single>", result.Schema["All"].Type.ToString());
        Assert.Equal([2f, 3, 2, 3], result.Values<float[]>("All")[1]);
    }

    [Fact]
    public void ConcatenateOfDifferentTypesIsAnError()
    {
        var estimator = _ml.Transforms.Concatenate("All", "Text", "Number");
        Assert.ThrowsAny<Exception>(() => estimator.Fit(_data).Transform(_data));
        Assert.Throws<InvalidOperationException>(() => _ml.Transforms.CopyColumns("A", "Text").Append(estimator).Fit(_data));
        var absent = _ml.Transforms.Concatenate("All", "Absent");
        Assert.Throws<ArgumentOutOfRangeException>(() => absent.Fit(_data).Transform(_data));
    }

    [Fact]
    public void CopyColumnsCarriesTypeAndAnnotations()
    {
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(_data).Transform(_data);
        var copied = _ml.Transforms.CopyColumns("Copy", "Label").Fit(keyed).Transform(keyed);
        Assert.Equal(keyed.Schema["Label"].Type, copied.Schema["Copy"].Type);
        Assert.Equal(["red", "green", "blue"], copied.Schema["Copy"].KeyValues());
        Assert.Equal([1u, 2, 3], copied.Values<uint>("Copy"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Transforms.CopyColumns("Copy", "Absent").Fit(_data));
    }

    [Fact]
    public void SelectColumnsKeepsThemInTheOrderNamed()
    {
        var selected = _ml.Transforms.SelectColumns("Number", "Text").Fit(_data).Transform(_data);
        Assert.Equal(["Number", "Text"], selected.Schema.Select(c => c.Name));
        Assert.Equal([0f, 1, 2], selected.Values<float>("Number"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Transforms.SelectColumns("Absent").Fit(_data));
    }

    [Fact]
    public void DropColumnsKeepsHiddenOnes()
    {
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(_data).Transform(_data);
        var dropped = _ml.Transforms.DropColumns("Text").Fit(keyed).Transform(keyed);
        Assert.Equal(
            ["Label: String hidden", "Label: Key<UInt32, 0-2>", "Number: Single", "Pair: Vector<Single, 2>"], dropped.Schema.Describe());
        Assert.Equal([1u, 2, 3], dropped.Values<uint>("Label"));
        var selected = _ml.Transforms.SelectColumns("Label").Fit(keyed).Transform(keyed);
        Assert.Equal(["Label: Key<UInt32, 0-2>"], selected.Schema.Describe());
    }

    [Fact]
    public void AddedColumnsHideTheirNamesakesBesideThem()
    {
        var result = _ml.Transforms.CopyColumns("Label", "Number").Append(_ml.Transforms.CopyColumns("New", "Text"))
            .Fit(_data).Transform(_data);
        Assert.Equal(
            ["Text: String", "Label: String hidden", "Label: Single", "Number: Single", "Pair: Vector<Single, 2>", "New: String"],
            result.Schema.Describe());
        Assert.Equal([0f, 1, 2], result.Values<float>("Label"));
    }

    [Fact]
    public void MappersTellWhatTheyDependOn()
    {
        ITransformer transformer = _ml.Transforms.Concatenate("All", "Number", "Pair")
            .Append(_ml.Transforms.CopyColumns("Copy", "Text")).Fit(_data);
        Assert.True(transformer.IsRowToRowMapper);
        var mapper = transformer.GetRowToRowMapper(_data.Schema);
        Assert.Equal(transformer.GetOutputSchema(_data.Schema).Describe(), mapper.OutputSchema.Describe());
        Assert.Equal(
            ["Number", "Pair"], mapper.GetDependencies([mapper.OutputSchema["All"]]).Select(c => c.Name).Order());
        Assert.Equal(["Text"], mapper.GetDependencies([mapper.OutputSchema["Copy"]]).Select(c => c.Name));

        using var cursor = _data.GetRowCursor(_data.Schema);
        using var row = mapper.GetRow(cursor, [mapper.OutputSchema["All"]]);
        Assert.True(cursor.MoveNext() && cursor.MoveNext());
        VBuffer<float> all = default;
        row.GetGetter<VBuffer<float>>(row.Schema["All"])(ref all);
        Assert.Equal([1f, 1, -1], all.DenseValues());
        Assert.Equal(1, row.Position);
    }

    private sealed class Open
    {
        public float[] Items { get; set; }
    }
}
