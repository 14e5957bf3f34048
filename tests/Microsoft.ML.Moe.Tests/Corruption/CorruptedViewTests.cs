using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Corruption;

/// <summary>Corrupted tables as ML.NET reads them.</summary>
public sealed class CorruptedViewTests
{
    private static readonly TextCorruption Texts = new() { DropShare = 0.2, ReplaceShare = 0.3, SwapShare = 0.4, RowShare = 0.7, Seed = 3 };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void ARowIsCorruptedAlikeInWhateverOrderItIsRead()
    {
        // of a table in memory rows can be read in a random order
        var source = _ml.Data.Cache(_ml.Data.LoadFromEnumerable(Tables.Rows(400)));
        var table = _ml.Data.CorruptText(source, "Text", Texts, "IsChanged");
        var expected = ById(table);
        Assert.Equal(400, expected.Count);
        Assert.Equal(expected, ById(table));
        Assert.Equal(expected, ById(_ml.Data.ShuffleRows(table, seed: 9)));
        Assert.Equal(expected, ById(_ml.Data.CorruptText(_ml.Data.ShuffleRows(source, seed: 9), "Text", Texts, "IsChanged")));
        Assert.Equal(expected, ById(_ml.Data.Cache(table)));
        Assert.Equal(expected, Read(table.GetRowCursorSet(table.Schema, 4)).ToDictionary());
        using var shuffled = table.GetRowCursor(table.Schema, new Random(4));
        var read = Read([shuffled]).ToList();
        Assert.NotEqual(Enumerable.Range(0, 400), read.Select(row => row.Key));
        Assert.Equal(expected, read.ToDictionary());
        Parallel.For(0, 4, _ => Assert.Equal(expected, ById(table)));
    }

    [Fact]
    public void RowsThatAreTakenOutOfTheTableStayAsTheyWere()
    {
        var table = _ml.Data.CorruptText(_ml.Data.LoadFromEnumerable(Tables.Rows(100)), "Text", Texts, "IsChanged");
        var expected = ById(table);
        var split = _ml.Data.TrainTestSplit(table, testFraction: 0.3);
        foreach (var (id, row) in ById(split.TrainSet).Concat(ById(split.TestSet)))
            Assert.Equal(expected[id], row);
    }

    [Fact]
    public void TheChangedColumnTellsExactlyWhichTextsAreOthers()
    {
        var rows = Tables.Rows(300);
        var table = _ml.Data.CorruptText(_ml.Data.LoadFromEnumerable(rows), "Text", Texts, "IsChanged");
        var changed = table.GetColumn<bool>("IsChanged").ToList();
        Assert.Equal(rows.Zip(table.GetColumn<string>("Text")).Select(pair => pair.First.Text != pair.Second), changed);
        Assert.InRange(changed.Count(c => c), 150, 240);
    }

    [Fact]
    public void OtherColumnsAndTheSchemaStay()
    {
        var rows = Tables.Rows(30);
        var source = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Fit(_ml.Data.LoadFromEnumerable(rows))
            .Transform(_ml.Data.LoadFromEnumerable(rows));
        var table = _ml.Data.CorruptText(source, "Text", Texts);
        Assert.Equal(source.Schema.Select(c => (c.Name, c.Type)), table.Schema.Select(c => (c.Name, c.Type)));
        Assert.Equal(source.Schema["Key"].Annotations.Schema.Count, table.Schema["Key"].Annotations.Schema.Count);
        Assert.Equal(rows.Select(row => row.Second), table.GetColumn<string>("Second"));
        Assert.Equal(source.GetColumn<uint>("Key"), table.GetColumn<uint>("Key"));
        Assert.Equal(source.GetRowCount(), table.GetRowCount());
        using var cursor = table.GetRowCursor([table.Schema["Id"]]);
        Assert.False(cursor.IsColumnActive(table.Schema["Text"]));
        Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<ReadOnlyMemory<char>>(table.Schema["Text"]));
    }

    [Fact]
    public void AModelFittedOnCorruptedRowsCorruptsNothingItself()
    {
        var rows = Tables.Rows(60);
        var noisy = _ml.Data.CorruptText(_ml.Data.LoadFromEnumerable(rows), "Text", Texts);
        var model = _ml.Transforms.CopyColumns("Copy", "Text").Fit(noisy);
        Assert.Equal(rows.Select(row => row.Text), model.Transform(_ml.Data.LoadFromEnumerable(rows)).GetColumn<string>("Copy"));
        Assert.NotEqual(rows.Select(row => row.Text), model.Transform(noisy).GetColumn<string>("Copy"));
    }

    [Fact]
    public void TwoColumnsCanBeCorruptedInTheSameRows()
    {
        var source = _ml.Data.LoadFromEnumerable(Tables.Rows(200));
        var settings = new TextCorruption { ReplaceShare = 1, RowShare = 0.5, Replacement = "x" };
        var both = _ml.Data.CorruptText(_ml.Data.CorruptText(source, "Text", settings, "First"), "Second", settings, "Other");
        Assert.Equal(both.GetColumn<bool>("First"), both.GetColumn<bool>("Other"));
        Assert.Contains(true, both.GetColumn<bool>("First"));
    }

    [Fact]
    public void WrongColumnsAndSettingsAreNamed()
    {
        var table = _ml.Data.LoadFromEnumerable(Tables.Rows(3));
        Assert.Contains("'Nowhere'", Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.CorruptText(table, "Nowhere", Texts)).Message);
        Assert.Contains("'Number'", Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.CorruptText(table, "Number", Texts)).Message);
        Assert.Contains("'Label'", Assert.Throws<ArgumentException>(() => _ml.Data.CorruptText(table, "Text", Texts, "Label")).Message);
        Assert.Throws<ArgumentException>(() => _ml.Data.CorruptText(table, "Text", Texts, ""));
        Assert.Throws<ArgumentException>(() => _ml.Data.CorruptText(table, "Text", new TextCorruption { DropShare = 0.6, SwapShare = 0.6 }));
    }

    private static Dictionary<int, (string Text, bool IsChanged)> ById(IDataView table)
    {
        using var cursor = table.GetRowCursor(table.Schema);
        return Read([cursor]).ToDictionary();
    }

    private static IEnumerable<KeyValuePair<int, (string Text, bool IsChanged)>> Read(DataViewRowCursor[] cursors)
    {
        foreach (var cursor in cursors)
        {
            var id = cursor.GetGetter<int>(cursor.Schema["Id"]);
            var text = cursor.GetGetter<ReadOnlyMemory<char>>(cursor.Schema["Text"]);
            var changed = cursor.GetGetter<bool>(cursor.Schema["IsChanged"]);
            while (cursor.MoveNext())
            {
                var (number, value, flag) = (0, default(ReadOnlyMemory<char>), false);
                id(ref number);
                changed(ref flag);
                text(ref value);
                yield return new(number, (value.ToString(), flag));
            }
        }
    }
}
