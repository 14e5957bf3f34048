using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class SchemaTests
{
    [Fact]
    public void LaterColumnHidesEarlierOneOfTheSameName()
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("A", TextDataViewType.Instance);
        builder.AddColumn("B", NumberDataViewType.Single);
        builder.AddColumn("A", NumberDataViewType.Int32);
        var schema = builder.ToSchema();

        Assert.Equal(3, schema.Count);
        Assert.Equal(2, schema["A"].Index);
        Assert.True(schema[0].IsHidden);
        Assert.False(schema[2].IsHidden);
        Assert.Equal(NumberDataViewType.Int32, schema["A"].Type);
        Assert.Equal(1, schema.GetColumnOrNull("B")?.Index);
        Assert.Null(schema.GetColumnOrNull("C"));
        Assert.Throws<ArgumentOutOfRangeException>(() => schema["C"]);
        Assert.Throws<ArgumentOutOfRangeException>(() => schema[3]);
    }

    [Fact]
    public void TypesNameThemselves()
    {
        Assert.Equal("String", TextDataViewType.Instance.ToString());
        Assert.Equal("Single", NumberDataViewType.Single.ToString());
        Assert.Equal("Boolean", BooleanDataViewType.Instance.ToString());
        Assert.Equal("Key<UInt32, 0-4>", new KeyDataViewType(typeof(uint), 5).ToString());
        Assert.Equal("Vector<Single, 3>", new VectorDataViewType(NumberDataViewType.Single, 3).ToString());
        Assert.Equal("Vector<Single>", new VectorDataViewType(NumberDataViewType.Single).ToString());
        Assert.Equal("Vector<Single, 2, *>", new VectorDataViewType(NumberDataViewType.Single, 2, 0).ToString());
        Assert.Equal("DateTimeOffset", DateTimeOffsetDataViewType.Instance.ToString());
        Assert.Equal("TimeSpan", TimeSpanDataViewType.Instance.ToString());
    }

    [Fact]
    public void KeyAndVectorTypesAreEqualByContent()
    {
        Assert.Equal(new KeyDataViewType(typeof(uint), 5), new KeyDataViewType(typeof(uint), 5));
        Assert.NotEqual(new KeyDataViewType(typeof(uint), 5), new KeyDataViewType(typeof(uint), 6));
        Assert.NotEqual(new KeyDataViewType(typeof(uint), 5), new KeyDataViewType(typeof(byte), 5));
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 3), new VectorDataViewType(NumberDataViewType.Single, 3));
        Assert.NotEqual(new VectorDataViewType(NumberDataViewType.Single, 3), new VectorDataViewType(NumberDataViewType.Double, 3));
        Assert.Equal(6, new VectorDataViewType(NumberDataViewType.Single, 2, 3).Size);
        Assert.False(new VectorDataViewType(NumberDataViewType.Single).IsKnownSize);
        Assert.Equal(typeof(VBuffer<float>), new VectorDataViewType(NumberDataViewType.Single, 3).RawType);
        Assert.Equal(typeof(ReadOnlyMemory<char>), TextDataViewType.Instance.RawType);
    }

    [Fact]
    public void KeyTypeRejectsWhatNoKeyCanBe()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeyDataViewType(typeof(int), 5));
        Assert.ThrowsAny<ArgumentException>(() => new KeyDataViewType(typeof(uint), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeyDataViewType(typeof(byte), 256));
        Assert.True(KeyDataViewType.IsValidDataType(typeof(ushort)));
        Assert.False(KeyDataViewType.IsValidDataType(typeof(long)));
    }

    [Fact]
    public void AnnotationsKeepTypedValues()
    {
        var builder = new DataViewSchema.Annotations.Builder();
        builder.AddPrimitiveValue("Number", NumberDataViewType.Int32, 42);
        builder.Add("Names", new VectorDataViewType(TextDataViewType.Instance, 2), (ref VBuffer<ReadOnlyMemory<char>> value) =>
            value = new VBuffer<ReadOnlyMemory<char>>(2, ["x".AsMemory(), "y".AsMemory()]));
        var annotations = builder.ToAnnotations();

        var number = 0;
        annotations.GetValue("Number", ref number);
        Assert.Equal(42, number);
        Assert.Equal(["Number", "Names"], annotations.Schema.Select(c => c.Name));
        var wrong = 0f;
        Assert.Throws<InvalidOperationException>(() => annotations.GetValue("Number", ref wrong));
        Assert.Throws<InvalidOperationException>(() => annotations.GetValue("Absent", ref number));
        Assert.Throws<ArgumentException>(() => builder.AddPrimitiveValue("Bad", NumberDataViewType.Int32, 1.5f));

        var some = new DataViewSchema.Annotations.Builder();
        some.Add(annotations, kind => kind == "Names");
        Assert.Equal(["Names"], some.ToAnnotations().Schema.Select(c => c.Name));
        Assert.Empty(DataViewSchema.Annotations.Empty.Schema);
    }

    [Fact]
    public void KeyValuesAndSlotNamesCountOnlyWhereTheyFit()
    {
        var names = new DataViewSchema.Annotations.Builder();
        ValueGetter<VBuffer<ReadOnlyMemory<char>>> get = (ref VBuffer<ReadOnlyMemory<char>> value) =>
            value = new VBuffer<ReadOnlyMemory<char>>(2, ["x".AsMemory(), "y".AsMemory()]);
        names.Add("KeyValues", new VectorDataViewType(TextDataViewType.Instance, 2), get);
        names.Add("SlotNames", new VectorDataViewType(TextDataViewType.Instance, 2), get);
        var annotations = names.ToAnnotations();
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Key2", new KeyDataViewType(typeof(uint), 2), annotations);
        builder.AddColumn("Key3", new KeyDataViewType(typeof(uint), 3), annotations);
        builder.AddColumn("Vector2", new VectorDataViewType(NumberDataViewType.Single, 2), annotations);
        builder.AddColumn("Vector", new VectorDataViewType(NumberDataViewType.Single), annotations);
        var schema = builder.ToSchema();

        Assert.True(schema["Key2"].HasKeyValues());
        Assert.False(schema["Key2"].HasKeyValues(NumberDataViewType.Single));
        Assert.False(schema["Key3"].HasKeyValues());
        Assert.False(schema["Vector2"].HasKeyValues());
        Assert.True(schema["Vector2"].HasSlotNames());
        Assert.False(schema["Vector"].HasSlotNames());
        Assert.Equal(["x", "y"], schema["Key2"].KeyValues());
        Assert.Equal(["x", "y"], schema["Vector2"].SlotNames());
        Assert.False(schema["Vector2"].IsNormalized());
    }

    [Fact]
    public void RowIdsOfDerivedRowsDiffer()
    {
        var ids = new HashSet<DataViewRowId>();
        for (ulong i = 0; i < 100; i++)
        {
            var id = new DataViewRowId(i, 0);
            Assert.True(ids.Add(id));
            Assert.True(ids.Add(id.Fork()));
            Assert.True(ids.Add(id.Combine(new DataViewRowId(7, 0))));
        }

        Assert.Equal("00000000000000020000000000000001", new DataViewRowId(1, 2).ToString());
        Assert.True(new DataViewRowId(9, 1).CompareTo(new DataViewRowId(0, 2)) < 0);
    }
}
