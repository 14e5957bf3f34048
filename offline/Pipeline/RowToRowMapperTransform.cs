using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A data view with the columns of a row mapper added: beside the column that one hides, else at the end.</summary>
internal sealed class RowToRowMapperTransform : IDataView, IRowToRowMapper
{
    private readonly IDataView _source;
    private readonly IRowMapper _mapper;
    private readonly int[] _map; // from output column to input column, or ~ to added column

    public RowToRowMapperTransform(
        IHostEnvironment env, IDataView input, IRowMapper mapper, Func<DataViewSchema, IRowMapper> mapperFactory)
    {
        Contracts.CheckValue(env, nameof(env));
        Contracts.CheckValue(mapper, nameof(mapper));
        _source = input;
        _mapper = mapper;
        (OutputSchema, _map) = Bind(input.Schema, mapper.GetOutputColumns());
        _ = mapperFactory; // kept in the signature: the real one rebinds with it
    }

    public DataViewSchema InputSchema => _source.Schema;

    internal DataViewSchema OutputSchema { get; }

    DataViewSchema IRowToRowMapper.OutputSchema => OutputSchema;

    DataViewSchema IDataView.Schema => OutputSchema;

    bool IDataView.CanShuffle => _source.CanShuffle;

    public static DataViewSchema GetOutputSchema(DataViewSchema inputSchema, IRowMapper mapper) =>
        Bind(inputSchema, mapper.GetOutputColumns()).Schema;

    long? IDataView.GetRowCount() => _source.GetRowCount();

    DataViewRowCursor IDataView.GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand)
    {
        var needed = columnsNeeded.ToArray();
        return Wrap(_source.GetRowCursor(GetDependencies(needed), rand), needed);
    }

    DataViewRowCursor[] IDataView.GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand)
    {
        var needed = columnsNeeded.ToArray();
        return [.. _source.GetRowCursorSet(GetDependencies(needed), n, rand).Select(input => Wrap(input, needed))];
    }

    IEnumerable<DataViewSchema.Column> IRowToRowMapper.GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        GetDependencies(dependingColumns);

    DataViewRow IRowToRowMapper.GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        Contracts.CheckValue(input, nameof(input));
        Contracts.CheckValue(activeColumns, nameof(activeColumns));
        Contracts.Check(input.Schema == InputSchema, "Schema of input row must be the same as the schema the mapper is bound to");
        var getters = CreateGetters(input, activeColumns, out _, out var disposer);
        return Cursors.Map(input, OutputSchema, _map, getters, disposer);
    }

    private IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var passed = new bool[InputSchema.Count];
        var added = new bool[_map.Length - passed.Length];
        foreach (var column in dependingColumns)
            if (_map[column.Index] is var source && source >= 0)
                passed[source] = true;
            else
                added[~source] = true;
        var needed = _mapper.GetDependencies(i => added[i]);
        return InputSchema.Where(c => passed[c.Index] || needed(c.Index)).ToArray();
    }

    private DataViewRowCursor Wrap(DataViewRowCursor input, DataViewSchema.Column[] needed)
    {
        var getters = CreateGetters(input, needed, out var active, out var disposer);
        return Cursors.Map(input, OutputSchema, _map, active, getters, disposer);
    }

    private Delegate[] CreateGetters(
        DataViewRow input, IEnumerable<DataViewSchema.Column> needed, out bool[] active, out Action disposer)
    {
        active = OutputSchema.Flags(needed);
        var wanted = new bool[_map.Length - InputSchema.Count];
        for (var i = 0; i < _map.Length; i++)
            if (_map[i] < 0)
                wanted[~_map[i]] = active[i];
        return _mapper.CreateGetters(input, i => wanted[i], out disposer);
    }

    private static (DataViewSchema Schema, int[] Map) Bind(DataViewSchema input, DataViewSchema.DetachedColumn[] added)
    {
        var map = Enumerable.Range(0, input.Count).ToList();
        string NameOf(int source) => source >= 0 ? input[source].Name : added[~source].Name;
        for (var i = 0; i < added.Length; i++)
        {
            var hidden = map.FindLastIndex(source => NameOf(source) == added[i].Name);
            map.Insert(hidden < 0 ? map.Count : hidden + 1, ~i);
        }

        var builder = new DataViewSchema.Builder();
        builder.AddColumns(map.Select(s => s >= 0 ? new DataViewSchema.DetachedColumn(input[s]) : added[~s]));
        return (builder.ToSchema(), [.. map]);
    }
}
