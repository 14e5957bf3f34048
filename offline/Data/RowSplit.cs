using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>A number in [0, 1) for each row, which decides on which side of a split it falls; NaN: on none.</summary>
internal sealed class RowSplit
{
    private const int HashBits = 30;
    private const int DefaultHashSeed = 314489979;

    private readonly IDataView _data;
    private readonly string _keyColumn;
    private readonly Func<DataViewRow, Func<double>> _create;

    internal RowSplit(IHostEnvironment env, IDataView data, string keyColumn, int? seed)
    {
        _data = data;
        _keyColumn = keyColumn;
        seed ??= ((IHostEnvironmentInternal)env).Seed;
        if (keyColumn == null)
        {
            var fixedSeed = (uint)(seed ?? env.Register("GenerateNumber").Rand.Next());
            _create = _ => Random(fixedSeed);
            return;
        }

        var column = data.Schema.GetColumnOrNull(keyColumn) ??
            throw env.ExceptSchemaMismatch("samplingKeyColumn", "SamplingKeyColumn", keyColumn);
        _create = Position(column) ??
            (row => Types.Call<Func<double>>(Hashed<int>, column.Type.RawType, row, column, (uint)(seed ?? DefaultHashSeed)));
    }

    /// <summary>The rows whose number is in the range, or those with a number outside it.</summary>
    internal IDataView Rows(double min, double max, bool includeMax, bool complement)
    {
        return DataViews.Filter(_data, c => c.Name == _keyColumn && !c.IsHidden, CreateTest, canShuffle: _keyColumn != null);

        Func<bool> CreateTest(DataViewRow row)
        {
            var next = _create(row);
            return () =>
            {
                var number = next();
                var inside = min <= number && (includeMax ? number <= max : number < max);
                return !double.IsNaN(number) && inside != complement;
            };
        }
    }

    private static Func<double> Random(uint seed)
    {
        var random = new TauswortheHybrid(seed);
        return () => random.NextSingle();
    }

    /// <summary>Keys split by their place among the values, real numbers by theirs between least and greatest.</summary>
    private Func<DataViewRow, Func<double>> Position(DataViewSchema.Column column)
    {
        if (column.Type is KeyDataViewType key)
            return row => Types.Call<Func<double>>(OfKey<int>, key.RawType, row, column, key.Count);
        if (column.Type != NumberDataViewType.Single && column.Type != NumberDataViewType.Double)
            return null;
        var values = column.Type == NumberDataViewType.Single
            ? _data.GetColumn<float>(column).Select(v => (double)v)
            : _data.GetColumn<double>(column);
        var (least, greatest) = values.Where(v => !double.IsNaN(v)).Aggregate(
            (Least: double.PositiveInfinity, Greatest: double.NegativeInfinity),
            (range, v) => (Math.Min(range.Least, v), Math.Max(range.Greatest, v)));
        var span = greatest > least ? greatest - least : 1;
        return row => Types.Call<Func<double>>(OfNumber<int>, column.Type.RawType, row, column, least, span);
    }

    private static Func<double> OfKey<T>(DataViewRow row, DataViewSchema.Column column, ulong count)
    {
        var get = Numbers.Reader<T>(row, column);
        return () => get() is var key && key == 0 ? double.NaN : (key - 0.5) / count;
    }

    private static Func<double> OfNumber<T>(DataViewRow row, DataViewSchema.Column column, double least, double span)
    {
        var get = Numbers.Reader<T>(row, column);
        return () => (get() - least) / span;
    }

    private static Func<double> Hashed<T>(DataViewRow row, DataViewSchema.Column column, uint seed)
    {
        var get = row.GetGetter<T>(column);
        T value = default;
        return () =>
        {
            get(ref value);
            return Hash(seed, value) is { } hash ? ((hash & ((1u << HashBits) - 1)) + 0.5) / (1u << HashBits) : double.NaN;
        };
    }

    private static uint? Hash<T>(uint seed, T value) => value switch
    {
        ReadOnlyMemory<char> text => text.IsEmpty ? null : Murmur.Text(seed, text.Span.Trim(' ')),
        bool flag => Murmur.Finish(Murmur.Round(seed, flag ? 1u : 0u), sizeof(uint)),
        long or ulong => Wide(seed, value is long number ? (ulong)number : (ulong)(object)value),
        IConvertible number => Murmur.Finish(Murmur.Round(seed, unchecked((uint)number.ToInt64(null))), sizeof(uint)),
        _ => throw Contracts.ExceptParam("samplingKeyColumnName", $"Rows cannot be split by {typeof(T)}."),
    };

    private static uint Wide(uint seed, ulong value) =>
        Murmur.Finish(Murmur.Round(Murmur.Round(seed, (uint)value), (uint)(value >> 32)), sizeof(ulong));
}
