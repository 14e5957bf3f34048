using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Persistence;

/// <summary>Saving that fails midway.</summary>
public sealed class SaveAtomicallyTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void TheNewModelReplacesTheOld()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["model.zip"], "an older model");
        using var model = Models.Fit(_ml);
        _ml.Model.SaveAtomically(model, null, folder["model.zip"]);
        using var again = (IDisposable)_ml.Model.Load(folder["model.zip"], out _);
        Assert.NotNull(again);
        Assert.Equal(["model.zip"], folder.Files);
    }

    [Fact]
    public void AFailedSaveKeepsTheOldFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["model.zip"], "an older model");
        using var model = Models.Fit(_ml);
        var failing = new TransformerChain<ITransformer>(model, new FullDisk());
        var error = Assert.ThrowsAny<IOException>(() => _ml.Model.SaveAtomically(failing, null, folder["model.zip"]));
        Assert.Equal("No space left on device", error.Message);
        Assert.Equal("an older model", File.ReadAllText(folder["model.zip"]));
        Assert.Equal(["model.zip"], folder.Files);
    }

    [Fact]
    public void ATargetThatCannotBeReplacedIsAnErrorAndLeavesNothingBehind()
    {
        using var folder = new TemporaryFolder();
        using var model = Models.Fit(_ml);
        Directory.CreateDirectory(folder["model.zip"]);
        Assert.ThrowsAny<Exception>(() => _ml.Model.SaveAtomically(model, null, folder["model.zip"]));
        Assert.Empty(folder.Files);
        Assert.ThrowsAny<IOException>(() => _ml.Model.SaveAtomically(model, null, Path.Combine(folder["nowhere"], "model.zip")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.99)] // within the zip's directory, a failure that ML.NET does not report
    public void AFullDiskKeepsTheOldFile(double share)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["model.zip"], "an older model");
        using var model = Models.Fit(_ml);
        var size = RoundTripTests.Save(model).Length;
        Assert.ThrowsAny<IOException>(() => MoeModelCatalog.SaveAtomically(
            _ml.Model, model, null, folder["model.zip"], path => new SmallDisk(path, (long)(size * share))));
        Assert.Equal("an older model", File.ReadAllText(folder["model.zip"]));
        Assert.Equal(["model.zip"], folder.Files);
    }

    [Fact]
    public void ArgumentsAreChecked()
    {
        using var model = Models.Fit(_ml);
        Assert.Throws<ArgumentNullException>(() => _ml.Model.SaveAtomically(null!, null, "model.zip"));
        Assert.Throws<ArgumentException>(() => _ml.Model.SaveAtomically(model, null, ""));
        Assert.Throws<ArgumentNullException>(() => MoeModelCatalog.SaveAtomically(null!, model, null, "model.zip"));
    }

    /// <summary>A transformer whose saving fails as on a full disk.</summary>
    private sealed class FullDisk : ITransformer
    {
        public bool IsRowToRowMapper => false;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();

        public IDataView Transform(IDataView input) => input;

        public void Save(ModelSaveContext ctx) => throw new IOException("No space left on device");
    }

    /// <summary>A file that takes so many bytes and no more.</summary>
    private sealed class SmallDisk(string path, long limit) : FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite)
    {
        public override void Write(byte[] buffer, int offset, int count)
        {
            Check(count);
            base.Write(buffer, offset, count);
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Check(buffer.Length);
            base.Write(buffer);
        }

        private void Check(int count)
        {
            if (Position + count > limit)
                throw new IOException("No space left on device");
        }
    }
}
