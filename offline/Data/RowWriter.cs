using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>From column values to a row object.</summary>
internal sealed class RowWriter<TRow>
{
    private readonly List<(RowMember Member, DataViewSchema.Column Column)> _bound = [];

    internal RowWriter(DataViewSchema schema, bool ignoreMissingColumns, SchemaDefinition definition)
    {
        foreach (var member in RowMember.Of(typeof(TRow), definition, SchemaDefinition.Direction.Write))
        {
            if (schema.GetColumnOrNull(member.Column.Name) is { } column)
            {
                if (!member.Fits(column.Type))
                    throw Contracts.Except(
                        $"Can't bind the IDataView column '{column.Name}' of type '{column.Type}' " +
                        $"to field or property '{member.Name}' of type '{member.Type.FullName}'.");
                _bound.Add((member, column));
            }
            else if (!ignoreMissingColumns)
            {
                throw Contracts.ExceptParam("Schema", $"Could not find  column '{member.Column.Name}'");
            }
        }
    }

    internal IEnumerable<DataViewSchema.Column> Columns => _bound.Select(b => b.Column);

    /// <summary>What fills a row object from the row, as it then stands.</summary>
    internal Action<TRow> Bind(DataViewRow input)
    {
        var setters = _bound.Select(b => CreateSetter(input, b.Member, b.Column)).ToArray();
        return row =>
        {
            foreach (var set in setters)
                set(row);
        };
    }

    private static Action<TRow> CreateSetter(DataViewRow input, RowMember member, DataViewSchema.Column column)
    {
        var item = column.Type.Item().RawType;
        return member.Type == typeof(string) ? Text(input, member, column)
            : member.Type == typeof(string[]) ? Texts(input, member, column)
            : member.Type.IsArray ? Types.Call<Action<TRow>>(Array<int>, item, input, member, column)
            : column.Type is VectorDataViewType ? Types.Call<Action<TRow>>(Buffer<int>, item, input, member, column)
            : Types.Call<Action<TRow>>(Direct<int>, item, input, member, column);
    }

    private static Action<TRow> Text(DataViewRow input, RowMember member, DataViewSchema.Column column)
    {
        var get = input.GetGetter<ReadOnlyMemory<char>>(column);
        var write = member.Writer<TRow, string>();
        ReadOnlyMemory<char> value = default;
        return row =>
        {
            get(ref value);
            write(row, value.ToString());
        };
    }

    private static Action<TRow> Texts(DataViewRow input, RowMember member, DataViewSchema.Column column)
    {
        var get = input.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
        var (read, write) = (member.Reader<TRow, string[]>(), member.Writer<TRow, string[]>());
        VBuffer<ReadOnlyMemory<char>> value = default;
        return row =>
        {
            get(ref value);
            if (value.Length > 0 || read(row) != null)
                write(row, [.. value.DenseValues().Select(v => v.ToString())]);
        };
    }

    private static Action<TRow> Array<T>(DataViewRow input, RowMember member, DataViewSchema.Column column)
    {
        var get = input.GetGetter<VBuffer<T>>(column);
        var (read, write) = (member.Reader<TRow, T[]>(), member.Writer<TRow, T[]>());
        VBuffer<T> value = default;
        return row =>
        {
            get(ref value);
            var target = read(row);
            if ((target?.Length ?? 0) != value.Length)
                target = new T[value.Length];
            if (target == null)
                return;
            value.CopyTo(target);
            write(row, target);
        };
    }

    private static Action<TRow> Buffer<T>(DataViewRow input, RowMember member, DataViewSchema.Column column)
    {
        var get = input.GetGetter<VBuffer<T>>(column);
        var (read, write) = (member.Reader<TRow, VBuffer<T>>(), member.Writer<TRow, VBuffer<T>>());
        return row =>
        {
            var value = read(row);
            get(ref value);
            write(row, value);
        };
    }

    private static Action<TRow> Direct<T>(DataViewRow input, RowMember member, DataViewSchema.Column column)
    {
        var get = input.GetGetter<T>(column);
        var write = member.Writer<TRow, T>();
        T value = default;
        return row =>
        {
            get(ref value);
            write(row, value);
        };
    }
}
