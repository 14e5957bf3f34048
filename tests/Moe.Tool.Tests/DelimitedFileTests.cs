using Microsoft.ML;
using MoeTool.Data;

namespace MoeTool.Tests;

public class DelimitedFileTests : FolderTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void Columns_are_found_by_name_in_any_order() => Assert.Equal(
        [("lights", "turn \"it\" on"), ("music", "play a song")],
        Rows(Write("data.tsv", "id\tsentence\tintent\r\n1\tturn \"it\" on\tlights\r\n\r\n2\tplay a song\tmusic\r\n"), "intent", "sentence"));

    [Fact]
    public void Fields_in_quotes_hold_separators_quotes_and_lines() => Assert.Equal(
        [("a", "one\ttwo \"three\""), ("b", "four\nfive"), ("c", "six")],
        Rows(Write("data.tsv", "\"Label\"\tText\na\t\"one\ttwo \"\"three\"\"\"\nb\t\"four\nfive\"\nc\tsix\n"), "Label", "Text"));

    [Fact]
    public void A_csv_file_is_separated_by_commas() => Assert.Equal(
        [("a", "one, two"), ("b", "three")],
        Rows(Write("data.CSV", "\"Text, first\",Label\n\"one, two\",a\nthree,b\n"), "Label", "Text, first"));

    [Theory]
    [InlineData("\"Hello\" she said", "\"he\" too")] // text goes on after what would be the closing quote
    [InlineData("\"never closed", "nor here")]
    [InlineData("\"opened in one row", "and closed in the next\"")]
    [InlineData("ends with a quote\"", "\"")]
    public void Quotes_that_enclose_no_field_belong_to_the_text(string first, string second) => Assert.Equal(
        [("a", first), ("b", second)], Rows(Write("data.tsv", $"Label\tText\na\t{first}\nb\t{second}\n"), "Label", "Text"));

    [Fact]
    public void Long_rows_and_every_script_are_read_whole()
    {
        var text = string.Join(' ', Enumerable.Range(0, 20_000).Select(n => $"wörd{n}")) + " 世界";
        Assert.Equal([("ä", text)], Rows(Write("data.tsv", $"\uFEFFLabel\tText\nä\t{text}"), "Label", "Text"));
    }

    [Fact]
    public void Rows_of_another_length_are_told()
    {
        var file = DelimitedFile.Open(Write("data.tsv", "Label\tText\na\tb\n// a comment\nc\nd\te\n"));
        Assert.Equal(3, file.Rows);
        Assert.Contains("1 rows do not have 2 fields as the header; the first is on line 4", file.Ragged, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("\n\n", "is empty")]
    [InlineData("Label\tText\n", "has a header but no rows")]
    [InlineData("Intent\tText\na\tb\n", "no column 'Label'; choose one with --label. Its columns: 'Intent', 'Text'.")]
    [InlineData("Label\tUtterance\na\tb\n", "no column 'Text'; choose one with --text. Its columns: 'Label', 'Utterance'.")]
    [InlineData("Label,Text\na,b\n", "Are the columns separated by tabs")]
    public void A_file_that_cannot_be_used_is_explained(string content, string explanation)
    {
        var path = Write("bad.tsv", content);
        var message = Failure(path);
        Assert.Contains(explanation, message, StringComparison.Ordinal);
        Assert.Contains(path, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_told_apart()
    {
        Assert.Contains("There is no file", Failure(Path.Combine(Folder, "missing.tsv")), StringComparison.Ordinal);
        Assert.Contains("is a folder", Failure(Folder), StringComparison.Ordinal);
    }

    private IEnumerable<(string, string)> Rows(string path, string label, string text)
    {
        var table = DelimitedFile.Open(path).Load(_ml, new SourceColumn(label, "Label", "--label"), new SourceColumn(text, "Text", "--text"));
        return _ml.Data.CreateEnumerable<Row>(table, reuseRowObject: false).Select(row => (row.Label, row.Text));
    }

    private string Failure(string path) => Assert.Throws<UserException>(() => Rows(path, "Label", "Text").ToList()).Message;

    private sealed class Row
    {
        public string Label { get; set; } = "";

        public string Text { get; set; } = "";
    }
}
