using System.IO.Compression;
using System.Text.Json.Nodes;

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
