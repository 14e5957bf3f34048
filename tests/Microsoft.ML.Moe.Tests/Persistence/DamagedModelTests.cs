using System.Globalization;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Persistence;

/// <summary>Model zips that were cut off, changed or forged.</summary>
public sealed class DamagedModelTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TransformerChain<MoeTextClassificationTransformer> _model;
    private readonly byte[] _zip;
    private readonly TemporaryFolder _folder = new();

    public DamagedModelTests()
    {
        _model = Models.Fit(_ml, o => o.Tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()));
        _zip = RoundTripTests.Save(_model.LastTransformer);
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("Columns.json")]
    [InlineData("Config.json")]
    [InlineData("Weights.safetensors")]
    [InlineData("LabelValues.json")]
    [InlineData("Tokenizer.json")]
    [InlineData("Vocabulary.txt")]
    public void EntriesThatAreMissingCutOffOrChangedAreNamed(string entry)
    {
        AssertNamed(entry, Zip.With(_zip, "/" + entry, _ => null));
        AssertNamed(entry, Zip.With(_zip, "/" + entry, content => []));
        AssertNamed(entry, Zip.With(_zip, "/" + entry, content => content[..^1]));
        AssertNamed(entry, Zip.With(_zip, "/" + entry, content => [.. content, 0]));
        foreach (var share in new[] { 0, 0.1, 0.5, 0.9 })
            AssertNamed(entry, Zip.With(_zip, "/" + entry, content =>
            {
                content[(int)(content.Length * share)] ^= 0x10;
                return content;
            }));
    }

    [Fact]
    public void AZipCutOffAnywhereIsRefused()
    {
        for (var i = 0; i < 100; i++)
            AssertClear(_zip[..(int)(_zip.Length * (i / 100.0))], mayLoad: false);
    }

    [Fact]
    public void FlippedBytesAreFoundOrDoNoHarm()
    {
        var random = new Random(3);
        for (var i = 0; i < 100; i++)
        {
            var damaged = (byte[])_zip.Clone();
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            AssertClear(damaged, mayLoad: true);
        }
    }

    [Fact]
    public void AChangedHeaderIsRefusedOrDoesNoHarm()
    {
        var length = Zip.Read(_zip).Single(f => f.Key.EndsWith("/Model.key", StringComparison.Ordinal)).Value.Length;
        for (var i = 0; i < length; i += 7)
            AssertClear(Zip.With(_zip, "/Model.key", content =>
            {
                content[i] ^= 0x81;
                return content;
            }), mayLoad: true);
    }

    /// <summary>With the digest made to fit, the readers of the files themselves must find the fault.</summary>
    [Theory]
    [InlineData("Columns.json", "", "Columns.json")]
    [InlineData("Columns.json", "{}", "Columns.json")]
    [InlineData("Columns.json", "{\"sentence1\":null,\"sentence2\":null,\"predictedLabel\":\"a\",\"score\":\"b\"}", "Columns.json")]
    [InlineData("Columns.json", "{\"sentence1\":\"x\",\"sentence2\":null,\"predictedLabel\":\"a\",\"score\":\"b\",\"uncertainty\":{\"entropy\":\"c\",\"uncertain\":null,\"threshold\":2}}", "Columns.json holds an impossible value")]
    [InlineData("Columns.json", "{\"sentence1\":\"x\",\"sentence2\":null,\"predictedLabel\":\"a\",\"score\":\"b\",\"uncertainty\":{\"entropy\":\"a\",\"uncertain\":null,\"threshold\":1}}", "Columns.json holds an impossible value")]
    [InlineData("Columns.json", "{\"sentence1\":\"x\",\"sentence2\":null,\"predictedLabel\":\"a\",\"score\":\"b\",\"uncertainty\":{\"entropy\":null,\"uncertain\":\"\",\"threshold\":1}}", "Columns.json holds an impossible value")]
    [InlineData("Config.json", "", "Config.json")]
    [InlineData("Config.json", "{}", "Config.json")]
    [InlineData("Config.json", "null", "Config.json")]
    [InlineData("Config.json", "[1, 2", "Config.json")]
    [InlineData("LabelValues.json", "", "LabelValues.json")]
    [InlineData("LabelValues.json", "{}", "LabelValues.json")]
    [InlineData("LabelValues.json", "null", "LabelValues.json")]
    [InlineData("LabelValues.json", "{\"type\":\"Int32\",\"values\":[\"one\"]}", "LabelValues.json")]
    [InlineData("LabelValues.json", "{\"type\":\"Byte\",\"values\":[\"1000\"]}", "LabelValues.json")]
    [InlineData("LabelValues.json", "{\"type\":\"Widget\",\"values\":[\"1\"]}", "LabelValues.json")]
    [InlineData("LabelValues.json", "{\"type\":\"Text\",\"values\":[null]}", "LabelValues.json")]
    [InlineData("LabelValues.json", "{\"type\":\"Text\",\"values\":[\"one\"]}", "1 label values for 3 classes")]
    [InlineData("Tokenizer.json", "", "Tokenizer.json")]
    [InlineData("Tokenizer.json", "{}", "Tokenizer.json")]
    [InlineData("Tokenizer.json", "{\"name\":\"WordPiece\",\"vocabularySize\":999}", "999")]
    [InlineData("Vocabulary.txt", "", "Vocabulary.txt")]
    [InlineData("Vocabulary.txt", "one\none", "Vocabulary.txt")]
    [InlineData("Weights.safetensors", "", "Weights.safetensors")]
    [InlineData("Weights.safetensors", "\u0002\0\0\0\0\0\0\0{}", "Weights.safetensors")]
    [InlineData("Weights.safetensors", "\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f", "Weights.safetensors")]
    public void ForgedEntriesAreRefused(string entry, string content, string named) => AssertNamed(named, Forge(entry, content));

    [Fact]
    public void AForgedEntryOfAbsurdSizeIsRefused()
    {
        var columns = Content("Columns.json");
        using var model = (IDisposable)Load(Forge("Columns.json", columns.PadRight(1 << 20))); // still good
        AssertNamed("Columns.json", Forge("Columns.json", columns.PadRight((1 << 20) + 1)));
    }

    [Theory]
    [InlineData("\"width\": 16", "\"width\": 1000000000")]
    [InlineData("\"width\": 16", "\"width\": -16")]
    [InlineData("\"width\": 16", "\"width\": 32")]
    [InlineData("\"classes\": 3", "\"classes\": 2000000000")]
    [InlineData("\"classes\": 3", "\"classes\": 4")]
    [InlineData("\"layers\": 1", "\"layers\": 48")]
    [InlineData("\"version\": 3", "\"version\": 4")]
    [InlineData("\"experts\": 2", "\"experts\": 1000")]
    public void ForgedConfigurationsAreRefused(string before, string after)
    {
        var config = Content("Config.json");
        Assert.Contains(before, config, StringComparison.Ordinal);
        LoadError(Forge("Config.json", config.Replace(before, after, StringComparison.Ordinal)));
    }

    [Fact]
    public void AnythingElseIsNoModel()
    {
        AssertClear([], mayLoad: false);
        AssertClear(Encoding.UTF8.GetBytes("This is not a zip file at all."), mayLoad: false);
    }

    /// <summary>Loads a model in a folder that is deleted afterwards: ML.NET leaves files behind when loading fails.</summary>
    private ITransformer Load(byte[] zip) => new MLContext { TempFilePath = _folder[""] }.Model.Load(new MemoryStream(zip), out _);

    private string Content(string entry) => Zip.Text(_zip, entry);

    private byte[] Forge(string entry, string content) => Zip.Forge(_zip, entry, content);

    private void AssertNamed(string part, byte[] zip)
    {
        var messages = Chain(LoadError(zip)).Where(e => e is InvalidDataException).Select(e => e.Message);
        Assert.Contains(messages, m => m.Contains(part, StringComparison.Ordinal));
    }

    /// <summary>Loading fails, and an <see cref="InvalidDataException"/> is the cause.</summary>
    private Exception LoadError(byte[] zip)
    {
        var error = Record.Exception(() => Load(zip));
        Assert.NotNull(error);
        Assert.Contains(Chain(error), e => e is InvalidDataException);
        return error;
    }

    private static IEnumerable<Exception> Chain(Exception error)
    {
        for (var e = error; e is not null; e = e.InnerException)
            yield return e;
    }

    /// <summary>Loading fails with a clear error, or the model works as if nothing had happened.</summary>
    private void AssertClear(byte[] zip, bool mayLoad)
    {
        ITransformer model;
        try
        {
            model = Load(zip);
        }
        catch (Exception e)
        {
            // the last two: the name of the loader's assembly was hit
            Assert.True(
                e is InvalidDataException or FormatException or InvalidOperationException or IOException or CultureNotFoundException, $"{e}");
            return;
        }

        Assert.True(mayLoad);
        using ((IDisposable)model)
            Models.AssertSame(Models.Score(_ml, _model.LastTransformer, Tables.Rows(9)), Models.Score(_ml, model, Tables.Rows(9)));
    }
}
