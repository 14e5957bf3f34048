using Microsoft.ML;
using Samples;

namespace TextClassification.Tests;

public sealed class TabSeparatedTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly MLContext _ml = new(1);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Columns_are_found_by_name_in_any_order()
    {
        var path = _folder.Write("data.tsv", "id\tsentence\tintent\r\n1\tturn \"it\" on\tlights\r\n\r\n2\tplay a song\tmusic\r\n");
        var table = TabSeparated.Load(_ml, path, "intent", "sentence");
        Assert.Equal(
            [("lights", "turn \"it\" on"), ("music", "play a song")],
            _ml.Data.CreateEnumerable<Example>(table, reuseRowObject: false).Select(row => (row.Label, row.Text)));
    }

    [Fact]
    public void What_is_saved_is_loaded_again()
    {
        var path = Path.Combine(_folder.Path, "saved.tsv");
        TabSeparated.Save(path, [new Example { Label = "a", Text = "Grüße, \"世界\"" }]);
        var row = Assert.Single(_ml.Data.CreateEnumerable<Example>(TabSeparated.Load(_ml, path, "Label", "Text"), reuseRowObject: false));
        Assert.Equal(("a", "Grüße, \"世界\""), (row.Label, row.Text));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("\n\n", "is empty")]
    [InlineData("Label\tText\n", "has a header but no rows")]
    [InlineData("Intent\tText\na\tb\n", "no column 'Label'; choose one with --label. Its columns: 'Intent', 'Text'.")]
    [InlineData("Label\tUtterance\na\tb\n", "no column 'Text'; choose one with --text. Its columns: 'Label', 'Utterance'.")]
    [InlineData("Label,Text\na,b\n", "Are the columns separated by tabs?")]
    public void A_file_that_cannot_be_used_is_explained(string content, string explanation)
    {
        var path = _folder.Write("bad.tsv", content);
        var message = Failure(path);
        Assert.Contains(explanation, message, StringComparison.Ordinal);
        Assert.Contains(path, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_told_apart()
    {
        Assert.Contains("There is no file", Failure(Path.Combine(_folder.Path, "missing.tsv")), StringComparison.Ordinal);
        Assert.Contains("is a folder", Failure(_folder.Path), StringComparison.Ordinal);
    }

    private string Failure(string path) => Assert.Throws<UserException>(() => TabSeparated.Load(_ml, path, "Label", "Text")).Message;
}
