using System.IO.Compression;
using System.Text.Json.Nodes;
using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Docs.Tests;

/// <summary>The page about the file format shows what is in a file.</summary>
public sealed class FormatTests : IClassFixture<SampleFolder>
{
    private const string Path = "docs/file-format.md";

    [Fact]
    public void The_configuration_on_the_page_has_the_members_that_a_file_has()
    {
        var written = Config(Samples.Model);
        var shown = new Page(Path).CodeBlocks.Single(block => block.Language == "json").Code;

        Assert.True(
            Names(JsonNode.Parse(written)!).SequenceEqual(Names(JsonNode.Parse(shown)!)), $"A file has:\n{written}");
    }

    [Fact]
    public void The_page_names_every_file_of_a_model()
    {
        using var zip = ZipFile.OpenRead(Samples.Model);
        var folder = zip.Entries.Single(entry => entry.Name == "Config.json").FullName[..^"Config.json".Length];
        var page = new Page(Path).Text;

        Assert.All(
            zip.Entries.Where(entry => entry.FullName.StartsWith(folder, StringComparison.Ordinal)),
            entry => Assert.Contains($"`{entry.Name}`", page, StringComparison.Ordinal));
    }

    [Fact]
    public void The_page_names_what_a_published_encoder_adds()
    {
        const string File = "published.zip";
        var ml = new MLContext(seed: 1);
        var texts = Samples.Texts(ml);
        var trainer = ml.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
        {
            Sentence1ColumnName = "Text",
            Encoder = PublishedEncoder.MiniLM,
            FineTuning = FineTuning.None,
            StoredWeights = ElementType.BFloat16,
        });
        using var model = ml.Transforms.Conversion.MapValueToKey("Label").Append(trainer).Fit(texts);
        ml.Model.Save(model, texts.Schema, File);

        var config = JsonNode.Parse(Config(File))!;
        var page = new Page(Path).Text;
        Assert.Contains("baseModel", config.AsObject().Select(member => member.Key));
        foreach (var part in (string[])["input", "head"])
            Assert.All(config[part]!.AsObject(), member => Assert.Contains(member.Key, page, StringComparison.Ordinal));
        Assert.All(
            (string[])[$"{config["input"]!["kind"]}", $"{config["head"]!["kind"]}", $"{config["encoder"]!["kind"]}", $"{config["input"]!["windows"]}"],
            value => Assert.Contains($"`{value}`", page, StringComparison.Ordinal));
        using var zip = ZipFile.OpenRead(File);
        var folder = zip.Entries.Single(entry => entry.Name == "Config.json").FullName[..^"Config.json".Length];
        Assert.All(
            zip.Entries.Where(entry => entry.FullName.StartsWith(folder, StringComparison.Ordinal)),
            entry => Assert.Contains(
                entry.Name.StartsWith("HuggingFace.", StringComparison.Ordinal) ? "`HuggingFace.*`" : $"`{entry.Name}`", page, StringComparison.Ordinal));
    }

    private static string Config(string file)
    {
        using var zip = ZipFile.OpenRead(file);
        using var reader = new StreamReader(zip.Entries.Single(entry => entry.Name == "Config.json").Open());
        return reader.ReadToEnd();
    }

    private static IEnumerable<string> Names(JsonNode node, string prefix = "") => node is JsonObject members
        ? members.SelectMany(member => Names(member.Value!, $"{prefix}.{member.Key}"))
        : [prefix];
}
