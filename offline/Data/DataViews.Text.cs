using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

internal static partial class DataViews
{
    /// <summary>A text file, read anew by each cursor.</summary>
    internal static IDataView FromText(string path, TextLoader.Options options, bool namesFromHeader) =>
        new TextDataView(path, options, namesFromHeader);
}

file sealed class TextDataView : IDataView
{
    private readonly string _path;
    private readonly TextLoader.Options _options;

    public TextDataView(string path, TextLoader.Options options, bool namesFromHeader)
    {
        _path = path;
        _options = options;
        var names = namesFromHeader ? HeaderNames() : null;
        var builder = new DataViewSchema.Builder();
        foreach (var column in options.Columns)
            builder.AddColumn(Contracts.CheckNonEmpty(column.Name?.Trim(), nameof(column.Name)), TypeOf(column), SlotNames(column, names));
        Schema = builder.ToSchema();
    }

    public bool CanShuffle => false;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = Schema.Flags(columnsNeeded);
        return Cursors.Over(new TextRows(Schema, active, _options, Lines(_options.HasHeader)), Schema, active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    public static IEnumerable<int> Slots(TextLoader.Column column) =>
        column.Source.SelectMany(r => Enumerable.Range(r.Min, (r.Max ?? r.Min) - r.Min + 1));

    private static DataViewType TypeOf(TextLoader.Column column)
    {
        Contracts.CheckParam(column.Source is { Length: > 0 }, nameof(column.Source), "Must specify some source column indices");
        var item = TextValues.TypeOf(column);
        var isVector = column.Source.Length > 1 || column.Source[0].ForceVector || column.Source[0].Max > column.Source[0].Min;
        return isVector ? new VectorDataViewType(item, Slots(column).Count()) : item;
    }

    private static DataViewSchema.Annotations SlotNames(TextLoader.Column column, ReadOnlyMemory<char>[] header)
    {
        if (header == null || TypeOf(column) is not VectorDataViewType vector)
            return null;
        var names = Slots(column).Select(i => i < header.Length ? header[i] : default).ToArray();
        if (names.All(n => n.IsEmpty))
            return null;
        var builder = new DataViewSchema.Annotations.Builder();
        builder.AddSlotNames(
            vector.Size,
            (ref VBuffer<ReadOnlyMemory<char>> value) => VBuffer<ReadOnlyMemory<char>>.Copy(names, 0, ref value, names.Length));
        return builder.ToAnnotations();
    }

    private ReadOnlyMemory<char>[] HeaderNames()
    {
        var fields = new TextFields(_options, _options.Columns.Max(c => Slots(c).Max()) + 1);
        fields.Split(Lines(skipHeader: false).Select(l => l.Text).FirstOrDefault().AsMemory());
        return fields.Fields;
    }

    /// <summary>The lines that are rows: not empty, no <c>//</c> comment, and no <c>#</c> line before the first.</summary>
    private IEnumerable<(long Number, string Text)> Lines(bool skipHeader)
    {
        using var reader = new StreamReader(_path);
        var (first, taken) = (true, 0L);
        for (var number = 1L; reader.ReadLine() is { } line; number++)
        {
            if (line.Length == 0 || line.StartsWith("//", StringComparison.Ordinal) || first && line[0] == '#')
                continue;
            var isHeader = first && skipHeader;
            first = false;
            if (isHeader)
                continue;
            if (taken++ >= (_options.MaxRows ?? long.MaxValue))
                yield break;
            yield return (number, line);
        }
    }
}

file sealed class TextRows : RowSource
{
    private readonly IEnumerator<(long Number, string Text)> _lines;
    private readonly TextFields _fields;
    private readonly TextValue[] _values;
    private readonly bool _trim;

    public TextRows(DataViewSchema schema, bool[] active, TextLoader.Options options, IEnumerable<(long Number, string Text)> lines)
    {
        _lines = lines.GetEnumerator();
        _trim = options.TrimWhitespace;
        _values = [.. schema.Select(c => active[c.Index]
            ? Types.Call<TextValue>(Create<int>, c.Type.Item().RawType, options.Columns[c.Index], c.Type)
            : null)];
        var last = options.Columns.Where((_, i) => active[i]).SelectMany(TextDataView.Slots).DefaultIfEmpty(-1).Max();
        _fields = new TextFields(options, last + 1);
    }

    internal override bool MoveNext()
    {
        if (!_lines.MoveNext())
            return false;
        var (number, text) = _lines.Current;
        _fields.Split(_trim ? text.AsMemory().TrimEnd() : text.AsMemory());
        foreach (var value in _values)
            value?.Parse(_fields.Fields, number);
        return true;
    }

    internal override Delegate CreateGetter(int column, Action checkGood) => _values[column].Getter(checkGood);

    internal override void Dispose() => _lines.Dispose();

    private static TextValue<T> Create<T>(TextLoader.Column column, DataViewType type) => new(
        column.Name, [.. TextDataView.Slots(column)], TextValues.Parser<T>(column, type.Item()), type is VectorDataViewType);
}

/// <summary>The row's value of one column.</summary>
file abstract class TextValue
{
    public abstract void Parse(ReadOnlyMemory<char>[] fields, long line);

    public abstract Delegate Getter(Action checkGood);
}

file sealed class TextValue<T>(string name, int[] slots, Func<ReadOnlyMemory<char>, (bool Good, T Value)> parse, bool isVector) : TextValue
{
    private readonly T[] _values = new T[slots.Length];

    public override void Parse(ReadOnlyMemory<char>[] fields, long line)
    {
        for (var i = 0; i < slots.Length; i++)
        {
            (var good, _values[i]) = parse(fields[slots[i]]);
            Contracts.Check(good, $"Could not parse value {fields[slots[i]]} in line {line}, column {name}");
        }
    }

    public override Delegate Getter(Action checkGood) => isVector
        ? (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) =>
        {
            checkGood();
            VBuffer<T>.Copy(_values, 0, ref value, _values.Length);
        })
        : (ValueGetter<T>)((ref T value) =>
        {
            checkGood();
            value = _values[0];
        });
}
