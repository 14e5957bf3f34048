using System.Collections.Concurrent;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Cursors over scored tables: columns, order, several at once.</summary>
public sealed class CursorTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TransformerChain<MoeTextClassificationTransformer> _model;
    private readonly List<Row> _rows = Tables.Rows(1000, seed: 3);
    private readonly IDataView _scored;

    public CursorTests()
    {
        _model = Models.Fit(_ml);
        _scored = _model.Transform(_ml.Data.LoadFromEnumerable(_rows));
    }

    public void Dispose() => _model.Dispose();

    [Fact]
    public void OtherColumnsPassThrough()
    {
        var before = Values(_ml.Data.LoadFromEnumerable(_rows));
        var after = Values(_scored);
        foreach (var name in new[] { "Id", "Text", "Second", "Vector", "Flag", "Number", "Weight" })
            Assert.Equal(before[name], after[name]);
        Assert.Equal(_rows.Select(r => (uint)(r.Id % 3) + 1), _scored.GetColumn<uint>("Label"));
    }

    [Fact]
    public void PassedOnVectorsAreTheConsumersOwn()
    {
        using var cursor = _scored.GetRowCursor([_scored.Schema["Vector"], _scored.Schema["Score"]]);
        var vector = cursor.GetGetter<VBuffer<float>>(_scored.Schema["Vector"]);
        var buffer = default(VBuffer<float>);
        cursor.MoveNext();
        vector(ref buffer);
        VBufferEditor.CreateFromBuffer(ref buffer).Values.Fill(99f);
        var again = default(VBuffer<float>);
        vector(ref again);
        Assert.Equal(_rows[0].Vector, again.DenseValues());
    }

    [Theory]
    [InlineData("Score")]
    [InlineData("PredictedLabel")]
    [InlineData("PredictedLabel", "Id")]
    [InlineData("Score", "Text")]
    [InlineData("Score", "PredictedLabel", "Label", "Vector", "Weight", "Number")]
    [InlineData("Id")]
    public void AnySubsetOfColumnsGivesTheSameValues(params string[] names)
    {
        var all = Values(_scored);
        var some = Values(_scored, names);
        foreach (var name in names)
            Assert.Equal(all[name], some[name]);
    }

    [Fact]
    public void InactiveColumnsAreRefused()
    {
        using var cursor = _scored.GetRowCursor([_scored.Schema["Score"]]);
        Assert.True(cursor.IsColumnActive(_scored.Schema["Score"]));
        Assert.False(cursor.IsColumnActive(_scored.Schema["Text"]));
        var error = Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<int>(_scored.Schema["Id"]));
        Assert.Contains("'Id'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WrongTypesAreRefused()
    {
        using var cursor = _scored.GetRowCursor(_scored.Schema);
        foreach (var name in new[] { "Score", "PredictedLabel", "Id" })
        {
            var error = Assert.ThrowsAny<InvalidOperationException>(() => cursor.GetGetter<double>(_scored.Schema[name]));
            Assert.Contains("Double", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ThereIsNoCurrentRowBeforeTheFirstAndAfterTheLast()
    {
        using var cursor = _scored.GetRowCursor([_scored.Schema["Score"]]);
        var score = cursor.GetGetter<VBuffer<float>>(_scored.Schema["Score"]);
        var buffer = default(VBuffer<float>);
        Assert.Equal(-1, cursor.Position);
        Assert.Throws<InvalidOperationException>(() => score(ref buffer));
        for (var i = 0; cursor.MoveNext(); i++)
            Assert.Equal(i, cursor.Position);
        Assert.Equal(-1, cursor.Position);
        Assert.False(cursor.MoveNext());
        Assert.Throws<InvalidOperationException>(() => score(ref buffer));
    }

    [Fact]
    public void SeveralCursorsAtOnceDoNotDisturbEachOther()
    {
        var expected = Models.Read(_ml, _scored);
        using var first = _ml.Data.CreateEnumerable<Prediction>(_scored, false).GetEnumerator();
        using var second = _ml.Data.CreateEnumerable<Prediction>(_scored, false).GetEnumerator();
        for (var i = 0; i < 300; i++)
            Assert.True(second.MoveNext());
        for (var i = 0; i < 700; i++)
        {
            Assert.True(first.MoveNext() && second.MoveNext());
            Assert.Equal(expected[i].Score, first.Current.Score);
            Assert.Equal(expected[i + 300].Score, second.Current.Score);
        }
    }

    [Fact]
    public void CursorsOnSeveralThreadsGiveTheSameScores()
    {
        var expected = Models.Read(_ml, _scored);
        var results = new List<Prediction>[4];
        Parallel.For(0, results.Length, i => results[i] = Models.Read(_ml, _scored));
        Assert.All(results, r => Models.AssertSame(expected, r));
    }

    [Fact]
    public void ACursorLeftHalfWayReadsNoFurther()
    {
        var read = 0;
        var scored = _model.Transform(_ml.Data.LoadFromEnumerable(Counted()));
        using (var cursor = scored.GetRowCursor([scored.Schema["Score"]]))
        {
            var score = cursor.GetGetter<VBuffer<float>>(scored.Schema["Score"]);
            var buffer = default(VBuffer<float>);
            Assert.True(cursor.MoveNext());
            score(ref buffer);
        }

        Assert.InRange(read, 1, 257); // rows are read 256 at a time

        IEnumerable<Row> Counted()
        {
            foreach (var row in _rows)
            {
                read++;
                yield return row;
            }
        }
    }

    [Fact]
    public void CursorSetsCoverAllRowsOnce()
    {
        var expected = Models.Read(_ml, _scored).ToDictionary(r => r.Id, r => r.Score);
        var scored = _model.Transform(_ml.Data.Cache(_ml.Data.LoadFromEnumerable(_rows)));
        var seen = new ConcurrentDictionary<int, float[]>();
        Parallel.ForEach(scored.GetRowCursorSet(scored.Schema, 3), cursor =>
        {
            using (cursor)
            {
                var id = cursor.GetGetter<int>(scored.Schema["Id"]);
                var score = cursor.GetGetter<VBuffer<float>>(scored.Schema["Score"]);
                var (number, scores) = (0, default(VBuffer<float>));
                while (cursor.MoveNext())
                {
                    id(ref number);
                    score(ref scores);
                    Assert.True(seen.TryAdd(number, [.. scores.DenseValues()]));
                }
            }
        });

        Assert.Equal(expected.Keys.Order(), seen.Keys.Order());
        Assert.All(seen, row => Assert.Equal(expected[row.Key], row.Value));
    }

    [Fact]
    public void ShuffledCursorsKeepRowsTogether()
    {
        var expected = Models.Read(_ml, _scored);
        var source = _ml.Data.ShuffleRows(_ml.Data.LoadFromEnumerable(_rows), seed: 5);
        var shuffled = Models.Read(_ml, _model.Transform(source));
        Assert.NotEqual(expected.Select(r => r.Id), shuffled.Select(r => r.Id));
        Models.AssertSame(expected, [.. shuffled.OrderBy(r => r.Id)]);

        var asked = new List<(int Id, float Score)>();
        using var cursor = _scored.GetRowCursor(_scored.Schema, new Random(7));
        var id = cursor.GetGetter<int>(_scored.Schema["Id"]);
        var score = cursor.GetGetter<VBuffer<float>>(_scored.Schema["Score"]);
        var (number, scores) = (0, default(VBuffer<float>));
        while (cursor.MoveNext())
        {
            id(ref number);
            score(ref scores);
            asked.Add((number, scores.GetValues()[0]));
        }

        Assert.Equal(expected.Select(r => (r.Id, r.Score[0])), asked.Order());
    }

    [Fact]
    public void AnOrderThatCannotBeRepeatedDoesNotMixUpRows()
    {
        var expected = Models.Read(_ml, _scored);
        var scored = _model.Transform(new BatchedView(_ml.Data.Cache(_ml.Data.LoadFromEnumerable(_rows)), 100));
        var (first, second) = (Models.Read(_ml, scored), Models.Read(_ml, scored));
        Assert.NotEqual(first.Select(r => r.Id), second.Select(r => r.Id));
        foreach (var rows in new[] { first, second })
            Assert.All(rows, r => Assert.Equal(expected[r.Id].Score, r.Score));
    }

    [Fact]
    public void BatchNumbersAreThoseOfTheInput()
    {
        var scored = _model.LastTransformer.Transform(new BatchedView(_ml.Data.LoadFromEnumerable(_rows), 100));
        using var cursor = scored.GetRowCursor(scored.Schema);
        for (var i = 0; cursor.MoveNext(); i++)
            Assert.Equal(i / 100, cursor.Batch);
    }

    [Fact]
    public void RowIdsAreThoseOfTheInput()
    {
        var input = _ml.Data.LoadFromEnumerable(_rows);
        Assert.Equal(Ids(input), Ids(_model.Transform(input)));

        static List<DataViewRowId> Ids(IDataView data)
        {
            var ids = new List<DataViewRowId>();
            using var cursor = data.GetRowCursor(data.Schema);
            var getter = cursor.GetIdGetter();
            var id = default(DataViewRowId);
            while (cursor.MoveNext())
            {
                getter(ref id);
                ids.Add(id);
            }

            return ids;
        }
    }

    private static Dictionary<string, List<string>> Values(IDataView data, params string[] names)
    {
        DataViewSchema.Column[] columns = names.Length == 0 ? [.. data.Schema] : [.. names.Select(n => data.Schema[n])];
        var values = columns.Where(c => !c.IsHidden).ToDictionary(c => c.Name, _ => new List<string>());
        using var cursor = data.GetRowCursor(columns);
        var readers = columns.Where(c => !c.IsHidden).Select(c => (c.Name, Read: Reader(cursor, c))).ToList();
        while (cursor.MoveNext())
            foreach (var (name, read) in readers)
                values[name].Add(read());
        return values;
    }

    private static Func<string> Reader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var method = typeof(CursorTests).GetMethod(nameof(ReadAs), System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)!;
        return (Func<string>)method.MakeGenericMethod(column.Type.RawType).Invoke(null, [cursor, column])!;
    }

    private static Func<string> ReadAs<T>(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var getter = cursor.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            getter(ref value);
            return value is VBuffer<float> vector ? string.Join('|', vector.DenseValues()) : $"{value}";
        };
    }
}
