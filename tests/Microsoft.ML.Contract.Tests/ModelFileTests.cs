using System.IO.Compression;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class ModelFileTests : IDisposable
{
    private readonly MLContext _ml = new(1);
    private readonly TemporaryFolder _folder = new();
    private readonly IDataView _data;
    private readonly ITransformer _model;

    public ModelFileTests()
    {
        _data = _ml.Data.LoadFromEnumerable(Row.Table(5));
        _model = _ml.Transforms.Conversion.MapValueToKey("Key", "Label")
            .Append(_ml.Transforms.Conversion.MapValueToKey("NumberKey", "Number"))
            .Append(_ml.Transforms.Concatenate("All", "Number", "Pair")).Append(_ml.Transforms.CopyColumns("Copy", "Text"))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("Back", "Key")).Append(_ml.Transforms.DropColumns("Pair")).Fit(_data);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AReloadedModelDoesTheSame()
    {
        _ml.Model.Save(_model, _data.Schema, _folder.PathOf("model.zip"));
        var again = new MLContext().Model.Load(_folder.PathOf("model.zip"), out var schema);
        var (before, after) = (_model.Transform(_data), again.Transform(_data));
        Assert.Equal(before.Schema.Describe(), after.Schema.Describe());
        Assert.Equal(before.Values<uint>("Key"), after.Values<uint>("Key"));
        Assert.Equal(before.Values<uint>("NumberKey"), after.Values<uint>("NumberKey"));
        Assert.Equal(before.Values<float[]>("All"), after.Values<float[]>("All"));
        Assert.Equal(before.Values<string>("Copy"), after.Values<string>("Copy"));
        Assert.Equal(before.Values<string>("Back"), after.Values<string>("Back"));
        Assert.Equal(["red", "green", "blue"], after.Schema["Key"].KeyValues());
        Assert.Equal(_data.Schema.Describe(), schema.Describe());
        Assert.Equal(again.GetOutputSchema(schema).Describe(), after.Schema.Describe());
        Assert.Equal(["model.zip"], _folder.Files());
    }

    [Fact]
    public void TheInputSchemaKeepsItsAnnotations()
    {
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.Transforms.Concatenate("Two", "Number", "Number"))
            .Fit(_data).Transform(_data);
        using var stream = new MemoryStream();
        _ml.Model.Save(_ml.Transforms.CopyColumns("Copy", "Label").Fit(keyed), keyed.Schema, stream);
        stream.Position = 0;
        _ml.Model.Load(stream, out var schema);
        Assert.Equal(keyed.Schema.Describe(), schema.Describe());
        Assert.Equal(["red", "green", "blue"], schema["Label"].KeyValues());
        Assert.Equal(["Number", "Number"], schema["Two"].SlotNames());
    }

    [Fact]
    public void AStreamIsLeftOpenAndAZip()
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(_model, _data.Schema, stream);
        Assert.True(stream.CanRead);
        stream.Position = 0;
        using var zip = new ZipArchive(stream);
        var names = zip.Entries.Select(e => e.FullName.Replace('\\', '/')).ToArray();
        Assert.Contains("Schema", names);
        Assert.Contains("TransformerChain/Model.key", names);
        Assert.Contains("TransformerChain/Transform_000/Model.key", names);
    }

    [Fact]
    public void ASchemaIsNotNecessary()
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(_model, null, stream);
        stream.Position = 0;
        var again = _ml.Model.Load(stream, out var schema);
        Assert.Null(schema);
        Assert.Equal(_model.Transform(_data).Values<uint>("Key"), again.Transform(_data).Values<uint>("Key"));
    }

    [Fact]
    public void SavingTakesThePlaceOfAnOlderFile()
    {
        var path = _folder.Write("model.zip", new string('x', 1_000_000));
        _ml.Model.Save(_model, _data.Schema, path);
        Assert.NotNull(_ml.Model.Load(path, out _));
        Assert.True(new FileInfo(path).Length < 1_000_000);
    }

    [Fact]
    public void ScopesAreKept()
    {
        var scoped = _ml.Transforms.CopyColumns("A", "Text")
            .Append(_ml.Transforms.CopyColumns("B", "Text"), TransformerScope.TrainTest).Fit(_data);
        using var stream = new MemoryStream();
        _ml.Model.Save(scoped, _data.Schema, stream);
        stream.Position = 0;
        Assert.DoesNotContain("B", _ml.Model.Load(stream, out _).Transform(_data).Schema.Select(c => c.Name));
    }

    [Fact]
    public void ATruncatedFileIsAnError()
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(_model, _data.Schema, stream);
        var bytes = stream.ToArray();
        foreach (var part in new[] { 0.0, 0.1, 0.5, 0.9, 0.99 })
            Assert.ThrowsAny<Exception>(() => _ml.Model.Load(new MemoryStream(bytes[..(int)(bytes.Length * part)]), out _));
        Assert.ThrowsAny<Exception>(() => _ml.Model.Load(_folder.PathOf("none.zip"), out _));
    }

    [Fact]
    public void ATamperedEntryIsAnErrorOrHarmless()
    {
        var path = _folder.PathOf("model.zip");
        var random = new Random(1);
        for (var round = 0; round < 60; round++)
        {
            _ml.Model.Save(_model, _data.Schema, path);
            using (var zip = ZipFile.Open(path, ZipArchiveMode.Update))
            {
                var entries = zip.Entries.Where(e => e.FullName.EndsWith("Model.key", StringComparison.Ordinal)).ToArray();
                using var stream = entries[round % entries.Length].Open();
                var bytes = new byte[stream.Length];
                stream.ReadExactly(bytes);
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                stream.Position = 0;
                stream.Write(bytes);
            }

            var error = Record.Exception(() => _ml.Model.Load(path, out _));
            Assert.False(error is OutOfMemoryException or NullReferenceException or IndexOutOfRangeException, error?.ToString());
        }
    }

    [Fact]
    public void AMissingEntryIsAnError()
    {
        var path = _folder.PathOf("model.zip");
        _ml.Model.Save(_model, _data.Schema, path);
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Update))
            zip.Entries.First(e => e.FullName.Replace('\\', '/').EndsWith("Transform_001/Model.key", StringComparison.Ordinal)).Delete();
        Assert.ThrowsAny<Exception>(() => _ml.Model.Load(path, out _));
    }

    [Fact]
    public void AFailureInATransformerIsPassedOn()
    {
        using var stream = new MemoryStream();
        var error = Assert.ThrowsAny<Exception>(() => _ml.Model.Save(new Unsaveable(), _data.Schema, stream));
        Assert.Contains("cannot be saved", error.ToString(), StringComparison.Ordinal);
    }

    private sealed class Unsaveable : ITransformer
    {
        public bool IsRowToRowMapper => false;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();

        public void Save(ModelSaveContext ctx) => throw new InvalidOperationException("This cannot be saved.");

        public IDataView Transform(IDataView input) => input;
    }
}
