using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>A column made from others.</summary>
internal sealed class MappedColumn
{
    internal MappedColumn(DataViewSchema.DetachedColumn output, int[] inputs, Func<DataViewRow, Delegate> createGetter) =>
        (Output, Inputs, CreateGetter) = (output, inputs, createGetter);

    internal DataViewSchema.DetachedColumn Output { get; }

    internal int[] Inputs { get; }

    internal Func<DataViewRow, Delegate> CreateGetter { get; }

    internal static IRowMapper Mapper(ITransformer parent, IEnumerable<MappedColumn> columns) => new ColumnMapper(parent, [.. columns]);
}

file sealed class ColumnMapper(ITransformer parent, MappedColumn[] columns) : IRowMapper
{
    public DataViewSchema.DetachedColumn[] GetOutputColumns() => [.. columns.Select(c => c.Output)];

    public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
    {
        var needed = columns.Where((_, i) => activeOutput(i)).SelectMany(c => c.Inputs).ToHashSet();
        return needed.Contains;
    }

    public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action disposer)
    {
        disposer = null;
        return [.. columns.Select((c, i) => activeOutput(i) ? c.CreateGetter(input) : null)];
    }

    public ITransformer GetTransformer() => parent;

    public void Save(ModelSaveContext ctx) => parent.Save(ctx);
}

internal static class ColumnPairs
{
    internal static (string Output, string Input)[] Of(InputOutputColumnPair[] columns)
    {
        Contracts.CheckValue(columns, nameof(columns));
        return [.. columns.Select(c => (c.OutputColumnName, c.InputColumnName))];
    }

    internal static DataViewSchema.Column Find(DataViewSchema schema, string name) => schema.GetColumnOrNull(name) ??
        throw Contracts.ExceptParam("inputSchema", $"Could not find input column '{name}'");

    internal static SchemaShape.Column Find(SchemaShape schema, string name) => schema.TryFindColumn(name, out var column)
        ? column
        : throw Contracts.ExceptParam("inputSchema", $"Could not find input column '{name}'");

    internal static Exception Mismatch(string name, string expected, object actual) =>
        Contracts.ExceptParam("inputSchema", $"Schema mismatch for input column '{name}': expected {expected}, got {actual}");

    internal static SchemaShape With(this SchemaShape schema, IEnumerable<SchemaShape.Column> columns)
    {
        var result = schema.ToDictionary(c => c.Name);
        foreach (var column in columns)
            result[column.Name] = column;
        return new SchemaShape(result.Values);
    }

    internal static void Save(ModelSaveContext ctx, IReadOnlyCollection<(string Output, string Input)> pairs)
    {
        ctx.Writer.Write(pairs.Count);
        foreach (var (output, input) in pairs)
        {
            ctx.SaveNonEmptyString(output);
            ctx.SaveNonEmptyString(input);
        }
    }

    internal static (string Output, string Input)[] Load(ModelLoadContext ctx)
    {
        var pairs = new (string, string)[ctx.Reader.ReadCount(2 * sizeof(int))];
        for (var i = 0; i < pairs.Length; i++)
            pairs[i] = (ctx.LoadNonEmptyString(), ctx.LoadNonEmptyString());
        return pairs;
    }
}
