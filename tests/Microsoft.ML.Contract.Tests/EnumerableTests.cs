using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class EnumerableTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void MembersBecomeColumns()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new Everything() });
        Assert.Equal(
            [
                "Field: Single", "Text: String", "Flag: Boolean", "Byte: Byte", "Short: Int16", "Int: Int32", "Long: Int64",
                "Double: Double", "Key: Key<UInt32, 0-2>", "Renamed: Int32", "Open: Vector<Single>", "Three: Vector<Single, 3>",
                "Words: Vector<String>",
                "Time: DateTime", "Span: TimeSpan", "Buffer: Vector<Single, 2>",
            ],
            data.Schema.Describe());
        Assert.Equal(1, data.GetRowCount());
        Assert.False(data.CanShuffle);
    }

    [Fact]
    public void ValuesGoThereAndBack() // but for keys: members count from zero, columns from one
    {
        var row = new Everything
        {
            Field = 1.5f, Text = "hé", Flag = true, Byte = 255, Short = -3, Int = int.MinValue, Long = long.MaxValue, Double = Math.PI,
            Key = 2, Original = 7, Open = [1, 2], Three = [1, 2, 3], Words = ["a", "", "c"], Time = new DateTime(2024, 2, 29),
            Span = TimeSpan.FromHours(1), Buffer = new VBuffer<float>(2, [8, 9]),
        };
        var back = _ml.Data.CreateEnumerable<Everything>(_ml.Data.LoadFromEnumerable(new[] { row, new Everything() }), false).ToArray();

        Assert.Equal(2, back.Length);
        Assert.Equivalent(
            new
            {
                row.Field, row.Text, row.Flag, row.Byte, row.Short, row.Int, row.Long, row.Double, Key = 3u, row.Original, row.Open,
                row.Three, row.Words, row.Time, row.Span,
            },
            back[0]);
        Assert.Equal([8f, 9], back[0].Buffer.DenseValues());
        Assert.Equal("", back[1].Text);
        Assert.Null(back[1].Open); // nothing to read, nothing to write
        Assert.Null(back[0].Ignored);
    }

    [Fact]
    public void ByteArraysAreVectorsOfUnknownSize()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new File { Bytes = [1, 255, 0] }, new File { Bytes = [] }, new File() });
        Assert.Equal(["Bytes: Vector<Byte>"], data.Schema.Describe());
        Assert.False(((VectorDataViewType)data.Schema["Bytes"].Type).IsKnownSize);
        using var cursor = data.GetRowCursor(data.Schema);
        var getter = cursor.GetGetter<VBuffer<byte>>(data.Schema["Bytes"]);
        var read = new List<byte[]>();
        VBuffer<byte> bytes = default;
        while (cursor.MoveNext())
        {
            getter(ref bytes);
            read.Add([.. bytes.DenseValues()]);
        }

        Assert.Equal([[1, 255, 0], [], []], read);
    }

    [Fact]
    public void RowObjectsAreNewUnlessReuseIsAskedFor()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new Number { Value = 1 }, new Number { Value = 2 } });
        var fresh = _ml.Data.CreateEnumerable<Number>(data, reuseRowObject: false).ToArray();
        Assert.Equal([1f, 2], fresh.Select(n => n.Value));
        var reused = _ml.Data.CreateEnumerable<Number>(data, reuseRowObject: true).ToArray();
        Assert.Same(reused[0], reused[1]);
    }

    [Fact]
    public void MissingAndMismatchedColumnsAreErrors()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new Number { Value = 1 } });
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.CreateEnumerable<Other>(data, false).ToArray());
        Assert.Equal(0, Assert.Single(_ml.Data.CreateEnumerable<Other>(data, false, ignoreMissingColumns: true)).Absent);
        var error = Assert.Throws<InvalidOperationException>(() => _ml.Data.CreateEnumerable<TextValue>(data, false).ToArray());
        Assert.Contains("Value", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => _ml.Data.LoadFromEnumerable<Number>(null));
    }

    [Fact]
    public void NullRowIsAnError()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new Number(), null });
        Assert.ThrowsAny<Exception>(() => data.Values<float>("Value"));
    }

    [Fact]
    public void DefinitionRenamesAndRetypes()
    {
        var definition = SchemaDefinition.Create(typeof(Number));
        definition["Value"].ColumnName = "Renamed";
        Assert.Equal("Renamed: Single", Assert.Single(_ml.Data.LoadFromEnumerable(new[] { new Number() }, definition).Schema.Describe()));

        var keys = SchemaDefinition.Create(typeof(KeyRow));
        keys["Key"].ColumnType = new KeyDataViewType(typeof(uint), 9);
        keys["Key"].AddAnnotation("Note", 4, NumberDataViewType.Int32);
        var data = _ml.Data.LoadFromEnumerable(new[] { new KeyRow() }, keys);
        Assert.Equal("Key: Key<UInt32, 0-8>", Assert.Single(data.Schema.Describe()));
        var note = 0;
        data.Schema["Key"].Annotations.GetValue("Note", ref note);
        Assert.Equal(4, note);
    }

    [Fact]
    public void ASchemaGivesColumnsTheirTypes()
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Open", new VectorDataViewType(NumberDataViewType.Single, 4));
        var data = _ml.Data.LoadFromEnumerable(new[] { new Vector { Open = [1, 2, 3, 4] } }, builder.ToSchema());
        Assert.Equal("Vector<Single, 4>", data.Schema["Open"].Type.ToString());

        builder.AddColumn("Absent", NumberDataViewType.Single);
        Assert.Throws<InvalidOperationException>(() => _ml.Data.LoadFromEnumerable(new[] { new Vector() }, builder.ToSchema()));
    }

    [Fact]
    public void MembersThatCannotBeColumnsAreErrors()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.LoadFromEnumerable(new[] { new Unsupported() }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.LoadFromEnumerable(new[] { new KeyOfFloat() }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.LoadFromEnumerable(new[] { new VectorOfOne() }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.LoadFromEnumerable(new[] { new SameName() }));
    }

    [Fact]
    public void GetColumnReadsTextAndArrays()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new Everything { Text = "a", Words = ["x", "y"], Open = [1, 2] } });
        Assert.Equal(["a"], data.Values<string>("Text"));
        Assert.Equal("a", data.Values<ReadOnlyMemory<char>>("Text")[0].ToString());
        Assert.Equal(["x", "y"], data.Values<string[]>("Words")[0]);
        Assert.Equal([1f, 2], data.Values<float[]>("Open")[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => data.Values<int>("Text"));
        Assert.Throws<ArgumentOutOfRangeException>(() => data.Values<int>("Absent"));
    }

    [Fact]
    public void PreviewShowsTheFirstRows()
    {
        var data = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 5).Select(i => new Number { Value = i }));
        var preview = data.Preview(maxRows: 3);
        Assert.Equal(3, preview.RowView.Length);
        Assert.Equal(new KeyValuePair<string, object>("Value", 2f), preview.RowView[2].Values[0]);
        Assert.Equal([0f, 1f, 2f], preview.ColumnView[0].Values);
    }

    private sealed class Everything
    {
        public float Field;

        public string Text { get; set; }

        public bool Flag { get; set; }

        public byte Byte { get; set; }

        public short Short { get; set; }

        public int Int { get; set; }

        public long Long { get; set; }

        public double Double { get; set; }

        [KeyType(3)]
        public uint Key { get; set; }

        [ColumnName("Renamed")]
        public int Original { get; set; }

        public float[] Open { get; set; }

        [VectorType(3)]
        public float[] Three { get; set; } = new float[3];

        public string[] Words { get; set; }

        public DateTime Time { get; set; }

        public TimeSpan Span { get; set; }

        [VectorType(2)]
        public VBuffer<float> Buffer { get; set; } = new(2, [0, 0]);

        [NoColumn]
        public object Ignored { get; set; }
    }

    private sealed class Number
    {
        public float Value { get; set; }
    }

    private sealed class TextValue
    {
        public string Value { get; set; }
    }

    private sealed class Other
    {
        public float Absent { get; set; }
    }

    private sealed class KeyRow
    {
        public uint Key { get; set; }
    }

    private sealed class Vector
    {
        public float[] Open { get; set; }
    }

    private sealed class Unsupported
    {
        public Version Version { get; set; }
    }

    private sealed class KeyOfFloat
    {
        [KeyType(3)]
        public float Value { get; set; }
    }

    private sealed class VectorOfOne
    {
        [VectorType(3)]
        public float Value { get; set; }
    }

    private sealed class SameName
    {
        public float A { get; set; }

        [ColumnName("A")]
        public float B { get; set; }
    }

    private sealed class File
    {
        public byte[] Bytes { get; set; }
    }
}
