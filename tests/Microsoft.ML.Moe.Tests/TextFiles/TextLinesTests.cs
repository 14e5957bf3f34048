using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextFiles;

/// <summary>Text files as tables of lines.</summary>
public sealed class TextLinesTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EveryLineIsARowWhateverIsInIt()
    {
        string[] lines = ["plain", "\"quoted, with commas\"", "tab\there", "", "  spaces  ", "日本語 🎈 ü", "one \" quote", "#not a comment"];
        File.WriteAllText(_folder["lines.txt"], string.Join('\n', lines));
        Assert.Equal(lines, Read(_folder["lines.txt"]));
    }

    [Theory]
    [InlineData("a\nb\n")]
    [InlineData("a\r\nb")]
    [InlineData("\uFEFFa\nb")]
    public void LineEndsAndMarksAreNoPartOfTheText(string content)
    {
        File.WriteAllText(_folder["lines.txt"], content, new UTF8Encoding(false));
        Assert.Equal(["a", "b"], Read(_folder["lines.txt"]));
    }

    [Fact]
    public void FilesAreReadOneAfterTheOther()
    {
        File.WriteAllText(_folder["one.txt"], "a\nb");
        File.WriteAllText(_folder["none.txt"], "");
        File.WriteAllText(_folder["two.txt"], "c");
        Assert.Equal(["a", "b", "c"], Read(_folder["one.txt"], _folder["none.txt"], _folder["two.txt"]));
    }

    [Fact]
    public void FilesAreReadAnewForEachReading()
    {
        File.WriteAllText(_folder["lines.txt"], "a");
        var table = _ml.Data.LoadTextLines("Text", _folder["lines.txt"]);
        Assert.Equal(["a"], table.GetColumn<string>("Text"));
        File.WriteAllText(_folder["lines.txt"], "b\nc");
        Assert.Equal(["b", "c"], table.GetColumn<string>("Text"));
        Assert.Equal(["b", "c"], table.GetColumn<string>("Text"));
        File.Delete(_folder["lines.txt"]); // no reading holds on to it
    }

    [Fact]
    public void WorksInPipelinesAndFromSeveralCursors()
    {
        File.WriteAllLines(_folder["lines.txt"], Enumerable.Range(0, 500).Select(i => $"line {i}"));
        var table = _ml.Data.LoadTextLines("Text", _folder["lines.txt"]);
        var copied = _ml.Transforms.CopyColumns("Copy", "Text").Fit(table).Transform(table);
        Assert.Equal(500, copied.GetColumn<string>("Copy").Distinct().Count());
        Parallel.For(0, 4, _ => Assert.Equal(500, table.GetColumn<string>("Text").Count()));
        var split = _ml.Data.TrainTestSplit(table, testFraction: 0.2);
        Assert.Equal(500, split.TrainSet.GetColumn<string>("Text").Concat(split.TestSet.GetColumn<string>("Text")).Distinct().Count());
        Assert.Equal("line 7", _ml.Data.TakeRows(_ml.Data.SkipRows(table, 7), 1).GetColumn<string>("Text").Single());
    }

    [Fact]
    public void ACursorTellsWhereItIs()
    {
        File.WriteAllText(_folder["lines.txt"], "a\nb");
        var table = _ml.Data.LoadTextLines("Text", _folder["lines.txt"]);
        using var cursor = table.GetRowCursor(table.Schema);
        var text = cursor.GetGetter<ReadOnlyMemory<char>>(table.Schema["Text"]);
        var value = default(ReadOnlyMemory<char>);
        Assert.Throws<InvalidOperationException>(() => text(ref value));
        Assert.Equal(-1, cursor.Position);
        Assert.True(cursor.MoveNext());
        Assert.True(cursor.MoveNext());
        Assert.Equal(1, cursor.Position);
        text(ref value);
        Assert.Equal("b", value.ToString());
        Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<int>(table.Schema["Text"]));
        Assert.False(cursor.MoveNext());
        Assert.False(cursor.MoveNext());
        Assert.Equal(-1, cursor.Position);

        using var counting = table.GetRowCursor([]);
        Assert.True(counting.MoveNext());
        Assert.False(counting.IsColumnActive(table.Schema["Text"]));
        Assert.Throws<InvalidOperationException>(() => counting.GetGetter<ReadOnlyMemory<char>>(table.Schema["Text"]));
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        var error = Assert.Throws<FileNotFoundException>(() => _ml.Data.LoadTextLines("Text", _folder["nowhere.txt"]));
        Assert.Contains("nowhere.txt", error.Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => _ml.Data.LoadTextLines("Text", Path.GetDirectoryName(_folder["x"])!));
        Assert.Throws<ArgumentException>(() => _ml.Data.LoadTextLines("Text"));
        Assert.Throws<ArgumentException>(() => _ml.Data.LoadTextLines("", _folder["nowhere.txt"]));
    }

    [Fact]
    public void AFileThatIsNotUtf8IsNamed()
    {
        File.WriteAllBytes(_folder["latin.txt"], Encoding.Latin1.GetBytes("caf\u00e9\n"));
        var error = Assert.Throws<InvalidDataException>(() => Read(_folder["latin.txt"]));
        Assert.Contains("latin.txt", error.Message, StringComparison.Ordinal);
        Assert.Contains("UTF-8", error.Message, StringComparison.Ordinal);
    }

    private List<string> Read(params string[] paths) => [.. _ml.Data.LoadTextLines("Text", paths).GetColumn<string>("Text")];
}
