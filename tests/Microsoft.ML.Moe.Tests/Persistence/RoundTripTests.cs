using System.Text;
using System.Text.Json;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Persistence;

/// <summary>Saving and loading whole models.</summary>
public sealed class RoundTripTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void AFreshProcessLoadsWithoutRegistrationOrLabel()
    {
        using var folder = new TemporaryFolder();
        using var classifier = Models.Fit(_ml);
        _ml.Model.Save(classifier.LastTransformer, null, folder["model.zip"]);

        var texts = Tables.Rows(20, seed: 4).Select(r => r.Text!).ToList();
        var expected = Models.Score(_ml, classifier.LastTransformer, texts.Select(t => new Row { Text = t })).Select(s => s.Score);
        Assert.Equal(expected, FreshProcess.Score(folder["model.zip"], texts));
    }

    [Fact]
    public void ScoringTextsLoadsNothingThatItDoesNotUse()
    {
        using var folder = new TemporaryFolder();
        using var classifier = Models.Fit(_ml);
        _ml.Model.Save(classifier.LastTransformer, null, folder["model.zip"]);

        var assemblies = FreshProcess.AssembliesOf(folder["model.zip"], ["bread and soup"]);

        Assert.Contains("Microsoft.ML.Moe", assemblies);
        string[] unused = ["Spectre", "SkiaSharp", "xunit", "Microsoft.ML.FastTree", "Microsoft.ML.ImageAnalytics"];
        if (!CudaDriver.IsThere)
            unused = [.. unused, "TorchSharp"];
        foreach (var part in unused)
            Assert.DoesNotContain(assemblies, name => name.StartsWith(part, StringComparison.Ordinal));
    }

    [Fact]
    public void TheZipIsReadableByOtherTools()
    {
        using var model = Models.Fit(_ml);
        var files = Zip.Read(Save(model));
        var folder = files.Keys.Single(n => n.EndsWith("/Weights.safetensors", StringComparison.Ordinal))[..^"Weights.safetensors".Length];
        Assert.Contains(folder + "Model.key", files.Keys);

        using var config = JsonDocument.Parse(files[folder + "Config.json"]);
        Assert.Equal("moe", config.RootElement.GetProperty("model_type").GetString());
        Assert.Equal(16, config.RootElement.GetProperty("encoder").GetProperty("width").GetInt32());
        Assert.Equal(3, config.RootElement.GetProperty("head").GetProperty("classes").GetInt32());

        using var labels = JsonDocument.Parse(files[folder + "LabelValues.json"]);
        Assert.Equal("Text", labels.RootElement.GetProperty("type").GetString());
        Assert.Equal(Tables.Classes, labels.RootElement.GetProperty("values").EnumerateArray().Select(v => v.GetString()!));

        var weights = files[folder + "Weights.safetensors"];
        var headerLength = (int)BitConverter.ToInt64(weights);
        using var header = JsonDocument.Parse(Encoding.UTF8.GetString(weights, 8, headerLength));
        var values = header.RootElement.EnumerateObject().Sum(t => t.Value.GetProperty("shape").EnumerateArray().Aggregate(1L, (n, s) => n * s.GetInt64()));
        Assert.Equal(model.LastTransformer.ParameterCount, values);
    }

    [Fact]
    public void SavingTwiceGivesTheSameFiles()
    {
        using var model = Models.Fit(_ml);
        var first = Zip.Read(Save(model));
        using var again = (IDisposable)Load(Save(model));
        var second = Zip.Read(Save((ITransformer)again));
        Assert.Equal(first.Keys.Order(), second.Keys.Order());
        Assert.All(first, file => Assert.Equal(file.Value, second[file.Key]));
    }

    [Fact]
    public void ColumnNamesSurvive()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        using var model = Models.Pipeline(_ml, o =>
        {
            o.Sentence1ColumnName = "Second";
            o.Sentence2ColumnName = "Text";
            o.ScoreColumnName = "Wahrscheinlichkeit ö";
            o.PredictedLabelColumnName = "予測";
        }).Fit(data);
        using var again = (IDisposable)Load(Save(model));
        SchemaAssert.Equal(model.GetOutputSchema(data.Schema), ((ITransformer)again).GetOutputSchema(data.Schema));
    }

    [Fact]
    public void LabelsOfAnyTextSurvive()
    {
        string[] names = ["a \"quoted\" label", "ü\u2028\0\n", "日本語 🎈"];
        var rows = Tables.Rows();
        rows.ForEach(r => r.Label = names[r.Id % 3]);
        var data = _ml.Data.LoadFromEnumerable(rows);
        using var model = Models.Pipeline(_ml).Fit(data);
        using var again = (IDisposable)Load(Save(model));
        SchemaAssert.Equal(model.GetOutputSchema(data.Schema), ((ITransformer)again).GetOutputSchema(data.Schema));
        Assert.Equal(string.Join('|', names), SchemaAssert.AnnotationText(((ITransformer)again).GetOutputSchema(data.Schema)["Score"].Annotations, "SlotNames"));
    }

    [Fact]
    public void DatesAsLabelsSurvive()
    {
        var rows = Tables.Rows().Select(r => new DatedRow
        {
            Text = r.Text,
            Date = new DateTime(2024, 2, 27 + (r.Id % 3), 13, 14, 15, DateTimeKind.Utc).AddTicks(r.Id % 3),
        });
        var data = _ml.Data.LoadFromEnumerable(rows);
        using var model = Models.Pipeline(_ml, label: "Date").Fit(data);
        using var again = (IDisposable)Load(Save(model));
        SchemaAssert.Equal(model.GetOutputSchema(data.Schema), ((ITransformer)again).GetOutputSchema(data.Schema));
    }

    internal static byte[] Save(ITransformer model)
    {
        using var stream = new MemoryStream();
        new MLContext().Model.Save(model, null, stream);
        return stream.ToArray();
    }

    internal static ITransformer Load(byte[] zip) => new MLContext().Model.Load(new MemoryStream(zip), out _);

    private sealed class DatedRow
    {
        public string? Text { get; set; }

        public DateTime Date { get; set; }
    }
}
