using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class TextLoaderTests : IDisposable
{
    private static readonly TextLoader.Column[] TwoTexts =
        [new TextLoader.Column("A", DataKind.String, 0), new TextLoader.Column("B", DataKind.String, 1)];

    private readonly MLContext _ml = new(1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AttributesSayWhichFieldsColumnsCarry()
    {
        var path = _folder.Write("a.csv", "Label,Text,N,X,Y\nred,hello,3,0.5,1.5\nblue,bye,4,-1,2e3\n");
        var data = _ml.Data.LoadFromTextFile<Loaded>(path, separatorChar: ',', hasHeader: true);
        Assert.Equal(["Text: String", "Category: String", "Count: Int32", "Features: Vector<Single, 2>"], data.Schema.Describe());
        Assert.False(data.Schema["Features"].HasSlotNames());
        Assert.Null(data.GetRowCount());
        Assert.False(data.CanShuffle);
        Assert.Equal(["hello", "bye"], data.Values<string>("Text"));
        Assert.Equal(["red", "blue"], data.Values<string>("Category"));
        Assert.Equal([3, 4], data.Values<int>("Count"));
        Assert.Equal([-1f, 2000f], data.Values<float[]>("Features")[1]);
    }

    [Fact]
    public void AMemberWithoutAttributeIsAnError() =>
        Assert.Throws<InvalidOperationException>(() => _ml.Data.LoadFromTextFile<Unmarked>(_folder.Write("a.tsv", "x")));

    [Fact]
    public void FieldsAreSplitAtTheSeparatorAlone()
    {
        Assert.Equal([("a b", "c")], Load("a b\tc\n"));
        Assert.Equal([("a", "")], Load("a\t\n"));
        Assert.Equal([("a", "")], Load("a\n"));
        Assert.Equal([("", "b")], Load("\tb\n"));
        Assert.Equal([("a", "b")], Load("a\tb\tc\td\n"));
        Assert.Equal([("a", "b")], Load("a\tb"));
        Assert.Equal([("a", "b"), ("c", "d")], Load("a\tb\r\nc\td\r\n"));
        Assert.Equal([("naïve", "日本語 😀")], Load("naïve\t日本語 😀\n"));
    }

    [Fact]
    public void SpacesBeforeAFieldGoAndThoseAfterItStay()
    {
        Assert.Equal([("a ", "b ")], Load("  a \t  b \n"));
        Assert.Equal([("a ", "b")], Load("  a \t  b  \t \n", trimWhitespace: true)); // the end of the line alone is trimmed
        Assert.Equal([("a", "")], Load(" a  b", separator: ' ').Select(r => (r.Item2, "")));
    }

    [Fact]
    public void QuotesMeanNothingUnlessAllowed()
    {
        Assert.Equal([("\"a", "b\"")], Load("\"a\tb\"\n"));
        Assert.Equal([("a\tb", "c")], Load("\"a\tb\"\tc\n", quoting: true));
        Assert.Equal([("say \"hi\"", "c")], Load("\"say \"\"hi\"\"\"\tc\n", quoting: true));
        Assert.Equal([("", "c")], Load("\"\"\tc\n", quoting: true));
        Assert.Equal([("it's \"x\"", "c")], Load("it's \"x\"\tc\n", quoting: true));
        Assert.Equal([("a", "c")], Load(" \"a\" \tc\n", quoting: true));
    }

    [Fact]
    public void BadQuotingEmptiesTheField()
    {
        Assert.Equal([("", "c")], Load("\"a\"x\tc\n", quoting: true));
        Assert.Equal([("", "")], Load("\"a\tc\n", quoting: true));
    }

    [Fact]
    public void EmptyLinesAndCommentsAreSkipped()
    {
        Assert.Equal([("a", "b"), ("c", "d")], Load("\na\tb\n\n//x\ty\nc\td\n\n"));
        Assert.Equal([("a", "b"), ("#c", "d")], Load("#first\tx\na\tb\n#c\td\n"));
        Assert.Equal([("a", "b")], Load("\n//x\nh1\th2\na\tb\n", header: true));
        Assert.Empty(Load("h1\th2\n", header: true));
        Assert.Empty(Load(""));
    }

    [Fact]
    public void RealsThatCannotBeReadAreMissingAndEmptyOnesAreZero()
    {
        var path = _folder.Write("a.tsv", "1.5\nx\n?\n\t9\nNaN\n-2E-3\n+7\n");
        var data = _ml.Data.LoadFromTextFile(path, [new TextLoader.Column("A", DataKind.Single, 0)]);
        Assert.Equal([1.5f, float.NaN, float.NaN, 0, float.NaN, -0.002f, 7], data.Values<float>("A"));
    }

    [Fact]
    public void IntegersThatCannotBeReadAreErrors()
    {
        var data = _ml.Data.LoadFromTextFile(_folder.Write("a.tsv", "1\nx\n"), [new TextLoader.Column("A", DataKind.Int32, 0)]);
        Assert.ThrowsAny<Exception>(() => data.Values<int>("A"));
        var empty = _ml.Data.LoadFromTextFile(_folder.Write("b.tsv", "1\n\t2\n"), [new TextLoader.Column("A", DataKind.Int32, 0)]);
        Assert.Equal([1, 0], empty.Values<int>("A"));
    }

    [Fact]
    public void BooleansAreReadInManySpellings()
    {
        var path = _folder.Write("a.tsv", "True\nfalse\n1\n0\nyes\nNO\nt\nF\n+1\n-1\n");
        var data = _ml.Data.LoadFromTextFile(path, [new TextLoader.Column("A", DataKind.Boolean, 0)]);
        Assert.Equal([true, false, true, false, true, false, true, false, true, false], data.Values<bool>("A"));
        var bad = _ml.Data.LoadFromTextFile(_folder.Write("b.tsv", "maybe\n"), [new TextLoader.Column("A", DataKind.Boolean, 0)]);
        Assert.ThrowsAny<Exception>(() => bad.Values<bool>("A"));
    }

    [Fact]
    public void KeysAreReadFromZero()
    {
        var path = _folder.Write("a.tsv", "0\n2\n5\nx\n");
        var data = _ml.Data.LoadFromTextFile(
            path, [new TextLoader.Column("A", DataKind.UInt32, [new TextLoader.Range(0)], new KeyCount(3))]);
        Assert.Equal("Key<UInt32, 0-2>", data.Schema["A"].Type.ToString());
        Assert.Equal([1u, 3, 0, 0], data.Values<uint>("A"));
    }

    [Fact]
    public void RangesBecomeVectors()
    {
        var path = _folder.Write("a.tsv", "1\t2\t3\t4\n5\t\t7\n");
        var data = _ml.Data.LoadFromTextFile(
            path,
            [
                new TextLoader.Column("A", DataKind.Single, 1, 3),
                new TextLoader.Column("B", DataKind.Single, [new TextLoader.Range(3), new TextLoader.Range(0)]),
                new TextLoader.Column("C", DataKind.Single, 2, 2),
            ]);
        Assert.Equal(["A: Vector<Single, 3>", "B: Vector<Single, 2>", "C: Vector<Single, 1>"], data.Schema.Describe());
        Assert.Equal([2f, 3, 4], data.Values<float[]>("A")[0]);
        Assert.Equal([0f, 7, 0], data.Values<float[]>("A")[1]);
        Assert.Equal([4f, 1], data.Values<float[]>("B")[0]);
    }

    [Fact]
    public void OptionsDoTheSame()
    {
        var path = _folder.Write("a.csv", "h\n1,2\n3,4\n5,6\n");
        var options = new TextLoader.Options
        {
            Columns = [new TextLoader.Column("A", DataKind.Single, 1)], Separators = [','], HasHeader = true, MaxRows = 2,
        };
        Assert.Equal([2f, 4], _ml.Data.LoadFromTextFile(path, options).Values<float>("A"));
    }

    [Fact]
    public void TheHeaderNamesSlotsWhereOptionsAreUsed()
    {
        var options = new TextLoader.Options { Columns = [new TextLoader.Column("A", DataKind.Single, 0, 1)], HasHeader = true };
        var data = _ml.Data.LoadFromTextFile(_folder.Write("a.tsv", "X\tY\n1\t2\n"), options);
        Assert.Equal(["X", "Y"], data.Schema["A"].SlotNames());
        Assert.Equal([1f, 2], Assert.Single(data.Values<float[]>("A")));
    }

    [Fact]
    public void AFileIsReadAnewByEachCursor()
    {
        var path = _folder.Write("a.tsv", "a\tb\n");
        var data = _ml.Data.LoadFromTextFile(path, TwoTexts);
        Assert.Single(data.Values<string>("A"));
        _folder.Write("a.tsv", "a\tb\nc\td\n");
        Assert.Equal(2, data.Values<string>("A").Length);
    }

    [Fact]
    public void AMissingFileIsAnError()
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.LoadFromTextFile(_folder.PathOf("none.tsv"), TwoTexts));
        Assert.Contains("none.tsv", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AVeryLongLineIsOneRow()
    {
        var text = new string('x', 1_000_000);
        Assert.Equal([(text, "b")], Load($"{text}\tb\n"));
    }

    private (string, string)[] Load(
        string text, char separator = '\t', bool header = false, bool quoting = false, bool trimWhitespace = false)
    {
        var path = _folder.Write("rows.txt", text);
        var data = _ml.Data.LoadFromTextFile(path, TwoTexts, separator, header, quoting, trimWhitespace);
        return [.. data.Values<string>("A").Zip(data.Values<string>("B"))];
    }

    private sealed class Loaded
    {
        [LoadColumn(1)]
        public string Text { get; set; }

        [LoadColumn(0), ColumnName("Category")]
        public string Label { get; set; }

        [LoadColumn(2)]
        public int Count { get; set; }

        [LoadColumn(3, 4), VectorType(2)]
        public float[] Features { get; set; }
    }

    private sealed class Unmarked
    {
        public string Text { get; set; }
    }
}
