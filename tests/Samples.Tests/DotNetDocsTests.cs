namespace Samples.Tests;

public class DotNetDocsTests
{
    [Fact]
    public void Sentences_are_three_tables_with_a_label_and_a_text() => AssertTables(DotNetDocs.Sentences(), "Label\tText", 20_000);

    [Fact]
    public void Pairs_are_three_tables_with_a_label_and_two_texts() => AssertTables(DotNetDocs.Pairs(), "Label\tSentence1\tSentence2", 6_000);

    [Fact]
    public void They_are_written_once()
    {
        var written = File.GetLastWriteTimeUtc(DotNetDocs.Pairs().Train);
        Assert.Equal(written, File.GetLastWriteTimeUtc(DotNetDocs.Pairs().Train));
    }

    private static void AssertTables(DocTables tables, string header, int rows)
    {
        var total = 0;
        foreach (var path in new[] { tables.Train, tables.Validation, tables.Test })
        {
            var lines = File.ReadAllLines(path);
            Assert.Equal(header, lines[0]);
            Assert.All(lines, line => Assert.Equal(header.Split('\t').Length, line.Split('\t').Length));
            total += lines.Length - 1;
        }

        Assert.True(total > rows, $"{total} rows");
    }
}
