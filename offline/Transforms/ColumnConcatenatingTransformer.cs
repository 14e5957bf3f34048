using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

public sealed class ColumnConcatenatingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "ConcatTransform";

    private readonly string _output;
    private readonly string[] _inputs;

    internal ColumnConcatenatingTransformer(IHostEnvironment env, string outputColumnName, params string[] inputColumnNames)
        : base(env.Register(nameof(ColumnConcatenatingTransformer)))
    {
        _output = outputColumnName;
        _inputs = inputColumnNames;
    }

    private static VersionInfo Version => new(
        "CONCATTR", 0x00010001, 0x00010001, 0x00010001, typeof(ColumnConcatenatingTransformer).Assembly.FullName, LoaderSignature);

    internal static ColumnConcatenatingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        var output = ctx.LoadNonEmptyString();
        var inputs = new string[ctx.Reader.ReadCount(sizeof(int))];
        for (var i = 0; i < inputs.Length; i++)
            inputs[i] = ctx.LoadNonEmptyString();
        return new ColumnConcatenatingTransformer(env, output, inputs);
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.CheckAtModel();
        ctx.SetVersionInfo(Version);
        ctx.SaveNonEmptyString(_output);
        ctx.Writer.Write(_inputs.Length);
        foreach (var input in _inputs)
            ctx.SaveNonEmptyString(input);
    }

    private protected override IRowMapper MakeRowMapper(DataViewSchema schema)
    {
        var columns = _inputs.Select(name => ColumnPairs.Find(schema, name)).ToArray();
        Contracts.CheckParam(columns.Length > 0, "inputColumnNames", "Name at least one column.");
        var item = (PrimitiveDataViewType)columns[0].Type.Item();
        foreach (var column in columns)
            if (!column.Type.Item().Equals(item))
                throw ColumnPairs.Mismatch(column.Name, item.ToString(), column.Type);
        var size = columns.Any(c => c.Type is VectorDataViewType { IsKnownSize: false }) ? 0 : columns.Sum(Size);
        var alone = columns.Length == 1 && columns[0].Type is VectorDataViewType ? columns[0].Annotations : null;
        return MappedColumn.Mapper(this, [new MappedColumn(
            new(_output, new VectorDataViewType(item, size), alone ?? SlotNames(columns, size)), [.. columns.Select(c => c.Index)],
            row => Types.Call<Delegate>(Getter<int>, item.RawType, row, columns))]);
    }

    private static int Size(DataViewSchema.Column column) => (column.Type as VectorDataViewType)?.Size ?? 1;

    private static DataViewSchema.Annotations SlotNames(DataViewSchema.Column[] columns, int size)
    {
        var names = columns.SelectMany(NamesOf).ToArray();
        if (size == 0 || names.All(n => n.IsEmpty))
            return null;
        var builder = new DataViewSchema.Annotations.Builder();
        builder.AddSlotNames(
            size, (ref VBuffer<ReadOnlyMemory<char>> value) => VBuffer<ReadOnlyMemory<char>>.Copy(names, 0, ref value, size));
        return builder.ToAnnotations();
    }

    private static IEnumerable<ReadOnlyMemory<char>> NamesOf(DataViewSchema.Column column)
    {
        if (column.Type is not VectorDataViewType)
            return [column.Name.AsMemory()];
        if (!column.HasSlotNames())
            return Enumerable.Repeat<ReadOnlyMemory<char>>(default, Size(column));
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return names.DenseValues().Select(n => n.IsEmpty ? n : $"{column.Name}.{n}".AsMemory());
    }

    private static ValueGetter<VBuffer<T>> Getter<T>(DataViewRow row, DataViewSchema.Column[] columns)
    {
        var parts = columns.Select(c => c.Type is VectorDataViewType
            ? row.GetGetter<VBuffer<T>>(c)
            : Single(row.GetGetter<T>(c))).ToArray();
        var values = new VBuffer<T>[parts.Length];
        return (ref VBuffer<T> value) =>
        {
            var length = 0;
            for (var i = 0; i < parts.Length; i++)
            {
                parts[i](ref values[i]);
                length += values[i].Length;
            }

            var editor = VBufferEditor.Create(ref value, length);
            var start = 0;
            foreach (var part in values)
            {
                part.CopyTo(editor.Values, start);
                start += part.Length;
            }

            value = editor.Commit();
        };
    }

    private static ValueGetter<VBuffer<T>> Single<T>(ValueGetter<T> get) => (ref VBuffer<T> value) =>
    {
        var editor = VBufferEditor.Create(ref value, 1);
        get(ref editor.Values[0]);
        value = editor.Commit();
    };
}
