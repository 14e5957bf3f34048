using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class CursorTests
{
    private readonly MLContext _ml = new(1);

    public static TheoryData<string> Sources => ["enumerable", "text", "cached", "shuffled", "filtered", "taken", "mapped", "split"];

    [Theory]
    [MemberData(nameof(Sources))]
    public void OnlyTheColumnsAskedForAreActive(string kind)
    {
        using var folder = new TemporaryFolder();
        var data = Source(kind, folder);
        using var cursor = data.GetRowCursor([data.Schema["Text"]]);
        Assert.True(cursor.IsColumnActive(data.Schema["Text"]));
        Assert.False(cursor.IsColumnActive(data.Schema["Number"]));
        Assert.ThrowsAny<Exception>(() => cursor.GetGetter<float>(data.Schema["Number"]));
        Assert.True(cursor.MoveNext());
        ReadOnlyMemory<char> text = default;
        cursor.GetGetter<ReadOnlyMemory<char>>(data.Schema["Text"])(ref text);
        Assert.StartsWith("text ", text.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void PositionCountsFromZeroAndEndsAtMinusOne(string kind)
    {
        using var folder = new TemporaryFolder();
        var data = Source(kind, folder);
        using var cursor = data.GetRowCursor([data.Schema["Number"]]);
        Assert.Equal(-1, cursor.Position);
        Assert.True(cursor.MoveNext());
        Assert.Equal(0, cursor.Position);
        Assert.True(cursor.MoveNext());
        Assert.Equal(1, cursor.Position);
        while (cursor.MoveNext())
        {
        }

        Assert.Equal(-1, cursor.Position);
        Assert.False(cursor.MoveNext());
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void SeveralCursorsReadIndependently(string kind)
    {
        using var folder = new TemporaryFolder();
        var data = Source(kind, folder);
        using var first = data.GetRowCursor(data.Schema);
        using var second = data.GetRowCursor([data.Schema["Number"]]);
        Assert.True(second.MoveNext());
        var all = first.Values<float>("Number");
        Assert.Equal(all.Skip(1), second.Values<float>("Number"));
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void ASetOfCursorsGivesEachRowOnce(string kind)
    {
        using var folder = new TemporaryFolder();
        var data = Source(kind, folder);
        var cursors = data.GetRowCursorSet([data.Schema["Number"]], 3);
        Assert.InRange(cursors.Length, 1, 3);
        // One reader each, as the sharing of work demands.
        var readings = cursors.Select(c => Task.Run(() => c.Values<float>("Number"))).ToArray();
        var read = readings.SelectMany(r => r.Result).Order().ToArray();
        foreach (var cursor in cursors)
            cursor.Dispose();
        Assert.Equal(data.Values<float>("Number").Order(), read);
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void WrongTypeOfGetterIsAnError(string kind)
    {
        using var folder = new TemporaryFolder();
        var data = Source(kind, folder);
        using var cursor = data.GetRowCursor(data.Schema);
        Assert.ThrowsAny<Exception>(() => cursor.GetGetter<int>(data.Schema["Number"]));
        Assert.ThrowsAny<Exception>(() => cursor.GetGetter<string>(data.Schema["Text"]));
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void NoColumnsAtAllStillCountsRows(string kind)
    {
        using var folder = new TemporaryFolder();
        var data = Source(kind, folder);
        using var cursor = data.GetRowCursor([]);
        var count = 0;
        while (cursor.MoveNext())
            count++;
        Assert.Equal(data.Values<float>("Number").Length, count);
        Assert.True(data.GetRowCount() is null || data.GetRowCount() == count);
    }

    [Theory]
    [InlineData("enumerable")]
    [InlineData("text")]
    [InlineData("cached")]
    [InlineData("mapped")]
    public void ValuesCannotBeReadOutsideRows(string kind)
    {
        using var folder = new TemporaryFolder();
        var data = Source(kind, folder);
        using var cursor = data.GetRowCursor([data.Schema["Number"]]);
        var get = cursor.GetGetter<float>(data.Schema["Number"]);
        var value = 0f;
        Assert.ThrowsAny<Exception>(() => get(ref value));
    }

    [Fact]
    public void CacheReadsItsSourceOnce()
    {
        var passes = 0;
        var cache = _ml.Data.Cache(_ml.Data.LoadFromEnumerable(Counted()), "Number");
        Assert.True(cache.CanShuffle);
        Assert.Equal(10, cache.Values<float>("Number").Length);
        Assert.Equal(10, cache.Values<float>("Number").Length);
        Assert.Equal(1, passes);
        Assert.Equal(10, cache.GetRowCount());
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.Cache(cache, "Absent"));

        IEnumerable<Row> Counted()
        {
            passes++;
            foreach (var row in Row.Table(10))
                yield return row;
        }
    }

    [Fact]
    public void ShufflingCursorGivesEachRowOnceInAnotherOrder()
    {
        var cache = _ml.Data.Cache(_ml.Data.LoadFromEnumerable(Row.Table(100)));
        float[] Order(int seed)
        {
            using var cursor = cache.GetRowCursor([cache.Schema["Number"]], new Random(seed));
            return cursor.Values<float>("Number");
        }

        var plain = cache.Values<float>("Number");
        Assert.NotEqual(plain, Order(1));
        Assert.Equal(plain, Order(1).Order());
        Assert.Equal(Order(1), Order(1));
        Assert.NotEqual(Order(1), Order(2));
    }

    [Fact]
    public void RowsKeepTheirIdsWhenShuffled()
    {
        var cache = _ml.Data.Cache(_ml.Data.LoadFromEnumerable(Row.Table(50)));
        Dictionary<float, DataViewRowId> Ids(Random random)
        {
            using var cursor = cache.GetRowCursor([cache.Schema["Number"]], random);
            var (getId, get) = (cursor.GetIdGetter(), cursor.GetGetter<float>(cache.Schema["Number"]));
            var ids = new Dictionary<float, DataViewRowId>();
            while (cursor.MoveNext())
            {
                DataViewRowId id = default;
                var number = 0f;
                getId(ref id);
                get(ref number);
                ids.Add(number, id);
            }

            return ids;
        }

        var plain = Ids(null);
        Assert.Equal(50, plain.Values.Distinct().Count());
        Assert.Equal(plain.OrderBy(i => i.Key), Ids(new Random(3)).OrderBy(i => i.Key));
    }

    [Fact]
    public void SkipAndTakeCount()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(10));
        Assert.Equal([0f, 1, 2], _ml.Data.TakeRows(data, 3).Values<float>("Number"));
        Assert.Equal([8f, 9], _ml.Data.SkipRows(data, 8).Values<float>("Number"));
        Assert.Empty(_ml.Data.SkipRows(data, 20).Values<float>("Number"));
        Assert.Equal(10, _ml.Data.TakeRows(data, 20).Values<float>("Number").Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.TakeRows(data, 0));
    }

    [Fact]
    public void ShuffleRowsKeepsTheRowsAndItsSeedTheOrder()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(200));
        var shuffled = _ml.Data.ShuffleRows(data, seed: 5).Values<float>("Number");
        Assert.NotEqual(data.Values<float>("Number"), shuffled);
        Assert.Equal(data.Values<float>("Number"), shuffled.Order());
        Assert.Equal(shuffled, _ml.Data.ShuffleRows(data, seed: 5).Values<float>("Number"));
        Assert.NotEqual(shuffled, _ml.Data.ShuffleRows(data, seed: 6).Values<float>("Number"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Data.ShuffleRows(data, shufflePoolSize: 0));
    }

    private IDataView Source(string kind, TemporaryFolder folder)
    {
        var rows = _ml.Data.LoadFromEnumerable(Row.Table(300));
        return kind switch
        {
            "enumerable" => rows,
            "cached" => _ml.Data.Cache(rows),
            "shuffled" => _ml.Data.ShuffleRows(rows, seed: 1),
            "filtered" => _ml.Data.TrainTestSplit(rows, 0.5, samplingKeyColumnName: "Label").TrainSet,
            "taken" => _ml.Data.TakeRows(_ml.Data.SkipRows(rows, 3), 200),
            "mapped" => _ml.Transforms.CopyColumns("Copy", "Number").Fit(rows).Transform(rows),
            "split" => _ml.Data.TrainTestSplit(rows, 0.5).TestSet,
            "text" => _ml.Data.LoadFromTextFile(
                folder.Write("rows.tsv", string.Join("\n", Row.Table(300).Select(r => $"{r.Text}\t{r.Number}"))),
                [new TextLoader.Column("Text", DataKind.String, 0), new TextLoader.Column("Number", DataKind.Single, 1)]),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }
}
