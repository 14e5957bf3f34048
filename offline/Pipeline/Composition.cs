using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

internal static class Composition
{
    internal static IRowToRowMapper Of(DataViewSchema inputSchema, IReadOnlyList<IRowToRowMapper> mappers) =>
        new CompositeRowToRowMapper(inputSchema, mappers);
}

file sealed class CompositeRowToRowMapper(DataViewSchema inputSchema, IReadOnlyList<IRowToRowMapper> mappers) : IRowToRowMapper
{
    public DataViewSchema InputSchema { get; } = inputSchema;

    public DataViewSchema OutputSchema { get; } = mappers.Count == 0 ? inputSchema : mappers[^1].OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        mappers.Reverse().Aggregate(dependingColumns, (needed, mapper) => mapper.GetDependencies(needed));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        Contracts.CheckValue(input, nameof(input));
        Contracts.CheckValue(activeColumns, nameof(activeColumns));
        Contracts.CheckParam(input.Schema == InputSchema, nameof(input), "Schema did not match original schema");
        var active = activeColumns.ToArray();
        if (mappers.Count == 0)
        {
            Contracts.CheckParam(active.All(input.IsColumnActive), nameof(input), "A column that the mapper needs is not active.");
            return input;
        }

        var needed = new IEnumerable<DataViewSchema.Column>[mappers.Count];
        needed[^1] = active;
        for (var i = mappers.Count - 1; i > 0; i--)
            needed[i - 1] = mappers[i].GetDependencies(needed[i]).ToArray();
        for (var i = 0; i < mappers.Count; i++)
            input = mappers[i].GetRow(input, needed[i]);
        return input;
    }
}
