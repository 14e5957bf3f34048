using Microsoft.ML.Data;

namespace Microsoft.ML.Offline;

/// <summary>From a row object to column values.</summary>
internal sealed class RowReader<TRow>
{
    private readonly RowMember[] _members;

    internal RowReader(SchemaDefinition definition)
    {
        _members = RowMember.Of(typeof(TRow), definition, SchemaDefinition.Direction.Read);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(_members.Select(m => m.Column));
        Schema = builder.ToSchema();
    }

    internal DataViewSchema Schema { get; }

    internal Delegate CreateGetter(int column, Func<TRow> current)
    {
        var member = _members[column];
        var item = member.Column.Type.Item().RawType;
        return member.Type == typeof(string) ? Text(member, current)
            : member.Type == typeof(string[]) ? Texts(member, current)
            : member.Type.IsArray ? Types.Call<Delegate>(Array<int>, item, member, current)
            : member.Column.Type is VectorDataViewType ? Types.Call<Delegate>(Buffer<int>, item, member, current)
            : member.Column.Type is KeyDataViewType key ? Types.Call<Delegate>(Key<int>, item, member, key.Count, current)
            : Types.Call<Delegate>(Direct<int>, item, member, current);
    }

    private static ValueGetter<ReadOnlyMemory<char>> Text(RowMember member, Func<TRow> current)
    {
        var read = member.Reader<TRow, string>();
        return (ref ReadOnlyMemory<char> value) => value = read(current()).AsMemory();
    }

    private static ValueGetter<VBuffer<ReadOnlyMemory<char>>> Texts(RowMember member, Func<TRow> current)
    {
        var read = member.Reader<TRow, string[]>();
        return (ref VBuffer<ReadOnlyMemory<char>> value) =>
        {
            var source = read(current()) ?? [];
            var editor = VBufferEditor.Create(ref value, source.Length);
            for (var i = 0; i < source.Length; i++)
                editor.Values[i] = source[i].AsMemory();
            value = editor.Commit();
        };
    }

    private static ValueGetter<VBuffer<T>> Array<T>(RowMember member, Func<TRow> current)
    {
        var read = member.Reader<TRow, T[]>();
        return (ref VBuffer<T> value) =>
        {
            var source = read(current()) ?? [];
            VBuffer<T>.Copy(source, 0, ref value, source.Length);
        };
    }

    private static ValueGetter<VBuffer<T>> Buffer<T>(RowMember member, Func<TRow> current)
    {
        var read = member.Reader<TRow, VBuffer<T>>();
        return (ref VBuffer<T> value) => read(current()).CopyTo(ref value);
    }

    /// <summary>Objects count from zero, columns from one; what is out of range is missing.</summary>
    private static ValueGetter<T> Key<T>(RowMember member, ulong count, Func<TRow> current)
    {
        var read = member.Reader<TRow, T>();
        return (ref T value) =>
        {
            var number = Convert.ToUInt64(read(current()));
            value = (T)Convert.ChangeType(number < count ? number + 1 : 0, typeof(T));
        };
    }

    private static ValueGetter<T> Direct<T>(RowMember member, Func<TRow> current)
    {
        var read = member.Reader<TRow, T>();
        return (ref T value) => value = read(current());
    }
}
