using System.Text;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Persistence;

/// <summary>A model zip that is read and scored without ML.NET.</summary>
public sealed class SavedTextClassifierTests
{
    private readonly MLContext _ml = new(seed: 1);

    public static TheoryData<string, Action<MoeTextClassificationTrainer.Options>> Trainers { get; } = new()
    {
        { "hashed words and a linear branch", _ => { } },
        { "no linear branch", o => o.LinearBranch = false },
        { "pairs", o => o.Sentence2ColumnName = nameof(Row.Second) },
        { "Unified", o => (o.Router, o.Experts) = (Router.Unified(1.5), 3) },
        { "WordPiece", o => o.Tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()) },
        { "bfloat16", o => o.StoredWeights = ElementType.BFloat16 },
    };

    [Theory]
    [MemberData(nameof(Trainers))]
    public void ScoresAndLabelsAreThoseOfTheTransformer(string what, Action<MoeTextClassificationTrainer.Options> change)
    {
        Assert.NotEmpty(what);
        using var model = Models.Fit(_ml, change);
        using var stream = new MemoryStream();
        _ml.Model.Save(model.Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(model.Transform(Data()))), null, stream);

        AssertSame(stream);
    }

    [Fact]
    public void AModelWithAPublishedEncoderIsReadToo()
    {
        using var folder = new TemporaryFolder();
        TinyPublished.Write(folder.Path, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(folder.Path);
        using var model = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
            {
                Sentence1ColumnName = nameof(Row.Text),
                Encoder = PublishedEncoder.FromFolder(folder.Path),
                FineTuning = Moe.Training.FineTuning.None,
            }))
            .Fit(Data());
        using var stream = new MemoryStream();
        _ml.Model.Save(model.Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel").Fit(model.Transform(Data()))), null, stream);

        AssertSame(stream);
    }

    [Fact]
    public void AModelOfAnEarlierVersionIsReadToo()
    {
        using var stream = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Persistence", "Version2", "text-classifier.zip"));
        using var classifier = SavedTextClassifier.Load(stream);

        Assert.True(classifier.ReadsPairs);
        Assert.InRange(classifier.Classify("rain and sun", "sun").Probability, 1f / classifier.Labels.Count, 1f);
    }

    [Fact]
    public void LabelsAreTheValuesBehindTheKeysWhateverTheirType()
    {
        using var model = Models.Pipeline(_ml, label: nameof(Row.Number)).Fit(Data());
        using var classifier = SavedTextClassifier.Load(new MemoryStream(RoundTripTests.Save(model)));

        Assert.Equal(["30", "20", "10"], classifier.Labels);
        Assert.False(classifier.ReadsPairs);
        Assert.Throws<ArgumentException>(() => classifier.Classify("one", "two"));
    }

    [Fact]
    public void TheModelOfAnotherKindIsRefused()
    {
        using var stream = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Persistence", "Version2", "image-classifier.zip"));

        Assert.Contains("no text classifier", Refused(stream), StringComparison.Ordinal);
    }

    [Fact]
    public void SeveralClassifiersAreRefused()
    {
        using var model = Models.Fit(_ml);

        Assert.Contains("more than one", Refused(new MemoryStream(RoundTripTests.Save(model.Append(model.LastTransformer)))), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNoZipIsRefused()
    {
        Assert.Contains("no model zip", Refused(new MemoryStream()), StringComparison.Ordinal);
        Assert.Contains("no model zip", Refused(new MemoryStream(Encoding.UTF8.GetBytes("This is not a zip file at all."))), StringComparison.Ordinal);
    }

    [Fact]
    public void EntriesThatAreMissingCutOffChangedOrForgedAreNamed()
    {
        using var model = Models.Fit(_ml, o => o.Tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream()));
        var zip = RoundTripTests.Save(model.LastTransformer);
        foreach (var entry in new[] { "Columns.json", "Config.json", "Weights.safetensors", "LabelValues.json", "Tokenizer.json", "Vocabulary.txt" })
        {
            AssertNamed(entry, Zip.With(zip, "/" + entry, _ => null));
            AssertNamed(entry, Zip.With(zip, "/" + entry, content => content[..^1]));
            AssertNamed(entry, Zip.With(zip, "/" + entry, content => [.. content, 0]));
            AssertNamed(entry, Zip.With(zip, "/" + entry, content =>
            {
                content[content.Length / 2] ^= 0x10;
                return content;
            }));
            AssertNamed(entry, Zip.Forge(zip, entry, ""));
        }

        AssertNamed("Columns.json", Zip.Forge(zip, "Columns.json", "{}"));
        AssertNamed("LabelValues.json", Zip.Forge(zip, "LabelValues.json", "{\"type\":\"Text\",\"values\":[\"a\",null,\"b\"]}"));
        AssertNamed("1 label values for 3 classes", Zip.Forge(zip, "LabelValues.json", "{\"type\":\"Text\",\"values\":[\"a\"]}"));
    }

    [Fact]
    public void AChangedHeaderIsRefusedOrDoesNoHarm()
    {
        using var model = Models.Fit(_ml);
        var zip = RoundTripTests.Save(model.LastTransformer);
        var length = Zip.Read(zip).Single(f => f.Key.EndsWith("/Model.key", StringComparison.Ordinal)).Value.Length;
        for (var i = 0; i < length; i += 7)
            AssertClear(Zip.With(zip, "/Model.key", content =>
            {
                content[i] ^= 0x81;
                return content;
            }));
        for (var cut = 0; cut < length; cut += 50)
            AssertClear(Zip.With(zip, "/Model.key", content => content[..cut]));
        for (var share = 0; share < 20; share++)
            Refused(new MemoryStream(zip[..(zip.Length * share / 20)]));
    }

    private static void AssertClear(byte[] zip)
    {
        try
        {
            using var classifier = SavedTextClassifier.Load(new MemoryStream(zip));
            Assert.Equal("food", classifier.Classify("bread soup apple cheese rice").Label);
        }
        catch (InvalidDataException)
        {
            // as it should be
        }
    }

    private static string Refused(Stream zip) => Assert.Throws<InvalidDataException>(() => SavedTextClassifier.Load(zip)).Message;

    private static void AssertNamed(string part, byte[] zip) => Assert.Contains(part, Refused(new MemoryStream(zip)), StringComparison.Ordinal);

    private IDataView Data() => _ml.Data.LoadFromEnumerable(Tables.Rows());

    private void AssertSame(MemoryStream zip)
    {
        var rows = Tables.Rows(100, seed: 7);
        zip.Position = 0;
        var loaded = _ml.Model.Load(zip, out _);
        using var transformer = (IDisposable)loaded;
        var scored = loaded.Transform(_ml.Data.LoadFromEnumerable(rows));
        var expected = _ml.Data.CreateEnumerable<Named>(scored, reuseRowObject: false).ToList();

        zip.Position = 0;
        using var classifier = SavedTextClassifier.Load(zip);
        var second = classifier.ReadsPairs ? rows.Select(row => row.Second!).ToList() : null;
        var actual = new float[rows.Count * classifier.Labels.Count];
        classifier.Score(rows.Select(row => row.Text!).ToList(), second, actual);

        Assert.Equal(Tables.Classes, classifier.Labels);
        Assert.Equal(expected.SelectMany(row => row.Score), actual);
        Assert.All(rows.Zip(expected).Take(9), pair =>
        {
            var (label, probability) = classifier.Classify(pair.First.Text!, second is null ? null : pair.First.Second);
            Assert.Equal(pair.Second.PredictedLabel, label);
            Assert.Equal(pair.Second.Score.Max(), probability, 1e-6f);
        });
    }

    private sealed class Named
    {
        public string PredictedLabel { get; set; } = "";

        public float[] Score { get; set; } = [];
    }
}
