using Microsoft.ML.Data;

namespace Microsoft.ML.Offline;

internal static partial class DataViews
{
    /// <summary>Keeps in memory each column that has been asked for; several readers share it.</summary>
    internal static IDataView Cache(IDataView source) => new CachedDataView(source, null);

    /// <summary>The rows in random order, the same at each pass; the whole table is the pool.</summary>
    internal static IDataView Shuffle(IDataView source, int seed) => new CachedDataView(source, seed);
}

file sealed class CachedDataView(IDataView source, int? shuffleSeed) : IDataView
{
    private readonly ColumnBuffer[] _buffers = new ColumnBuffer[source.Schema.Count];
    private readonly Lock _lock = new();
    private int? _rows = (int?)source.GetRowCount();

    public bool CanShuffle => true;

    public DataViewSchema Schema => source.Schema;

    public long? GetRowCount() => _rows;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) =>
        GetRowCursorSet(columnsNeeded, 1, rand)[0];

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
    {
        var active = Schema.Flags(columnsNeeded);
        var rows = Fill(active);
        rand ??= shuffleSeed is { } seed ? new TauswortheHybrid((uint)seed) : null;
        var order = rand == null ? null : Permutation(rand, rows);
        n = Math.Max(1, n);
        return [.. Enumerable.Range(0, n).Select(share =>
            Cursors.Over(new CachedRows(_buffers, order, rows, share, n), Schema, active))];
    }

    private static int[] Permutation(Random rand, int count)
    {
        var order = Enumerable.Range(0, count).ToArray();
        for (var i = 0; i < count; i++)
        {
            var j = i + rand.Next(count - i);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    private int Fill(bool[] active)
    {
        lock (_lock)
        {
            var missing = Schema.Where(c => active[c.Index] && _buffers[c.Index] == null).ToArray();
            if (missing.Length == 0 && _rows is { } known)
                return known;
            using var cursor = source.GetRowCursor(missing);
            var buffers = missing.Select(ColumnBuffer.Create).ToArray();
            var adders = missing.Select((c, i) => buffers[i].CreateAdder(cursor, c)).ToArray();
            var rows = 0;
            for (; cursor.MoveNext(); rows++)
                foreach (var add in adders)
                    add();
            for (var i = 0; i < missing.Length; i++)
                _buffers[missing[i].Index] = buffers[i];
            _rows = rows;
            return rows;
        }
    }
}

/// <summary>One share of the rows, dealt out by blocks.</summary>
file sealed class CachedRows(ColumnBuffer[] buffers, int[] order, int rows, int share, int shares) : RowSource
{
    private const int BlockSize = 64;

    private int _next = share * BlockSize;
    private int _index = -1;

    internal override long Batch => _index < 0 ? 0 : _index / BlockSize;

    internal override bool MoveNext()
    {
        if (_next >= rows)
            return false;
        _index = _next++;
        if (_next % BlockSize == 0)
            _next += (shares - 1) * BlockSize;
        return true;
    }

    internal override long Number(long position) => order == null ? _index : order[_index];

    internal override Delegate CreateGetter(int column, Action checkGood) => buffers[column].CreateGetter(() =>
    {
        checkGood();
        return (int)Number(_index);
    });
}

file abstract class ColumnBuffer
{
    public static ColumnBuffer Create(DataViewSchema.Column column) => column.Type is VectorDataViewType vector
        ? Types.Call<ColumnBuffer>(Vectors<int>, vector.ItemType.RawType)
        : Types.Call<ColumnBuffer>(Scalars<int>, column.Type.RawType);

    /// <summary>What adds the row's value.</summary>
    public abstract Action CreateAdder(DataViewRow row, DataViewSchema.Column column);

    public abstract Delegate CreateGetter(Func<int> index);

    private static ColumnBuffer<T> Scalars<T>() => new((ref T target, T value) => target = value);

    private static ColumnBuffer<VBuffer<T>> Vectors<T>() => new((ref VBuffer<T> target, VBuffer<T> value) => value.CopyTo(ref target));
}

file delegate void Copy<T>(ref T target, T value);

file sealed class ColumnBuffer<T>(Copy<T> copy) : ColumnBuffer
{
    private readonly List<T> _values = [];

    public override Action CreateAdder(DataViewRow row, DataViewSchema.Column column)
    {
        var get = row.GetGetter<T>(column);
        return () =>
        {
            // A fresh buffer each time, for the values to stay.
            T value = default;
            get(ref value);
            _values.Add(value);
        };
    }

    public override Delegate CreateGetter(Func<int> index) => (ValueGetter<T>)((ref T value) => copy(ref value, _values[index()]));
}
