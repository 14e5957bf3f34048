using Microsoft.ML.Data;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Transforms;

public sealed class ColumnSelectingEstimator : TrivialEstimator<ColumnSelectingTransformer>
{
    internal ColumnSelectingEstimator(IHostEnvironment env, string[] names, bool drop)
        : base(env.Register(nameof(ColumnSelectingEstimator)), new ColumnSelectingTransformer(env, names, drop))
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => new(Transformer.Choose(inputSchema, c => c.Name));
}

/// <summary>Keeps some columns, in the order named, or all but those of some names.</summary>
public sealed class ColumnSelectingTransformer : ITransformer
{
    internal const string LoaderSignature = "SelectColumnsTransform";

    private readonly string[] _names;
    private readonly bool _drop;

    internal ColumnSelectingTransformer(IHostEnvironment env, string[] names, bool drop)
    {
        Contracts.CheckParam(names is { Length: > 0 }, nameof(names), "Name at least one column.");
        _names = names;
        _drop = drop;
    }

    bool ITransformer.IsRowToRowMapper => true;

    private static VersionInfo Version => new(
        "SELCOLST", 0x00010001, 0x00010001, 0x00010001, typeof(ColumnSelectingTransformer).Assembly.FullName, LoaderSignature);

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(Choose(inputSchema));
        return builder.ToSchema();
    }

    public IDataView Transform(IDataView input)
    {
        Contracts.CheckValue(input, nameof(input));
        return DataViews.Select(input, Choose(input.Schema));
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) =>
        new SelectingMapper(inputSchema, GetOutputSchema(inputSchema), [.. Choose(inputSchema).Select(c => c.Index)]);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ctx.CheckAtModel();
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(_drop);
        ctx.Writer.Write(_names.Length);
        foreach (var name in _names)
            ctx.SaveNonEmptyString(name);
    }

    internal IEnumerable<TColumn> Choose<TColumn>(IReadOnlyCollection<TColumn> columns, Func<TColumn, string> nameOf)
    {
        foreach (var name in _names)
            Contracts.CheckParam(columns.Any(c => nameOf(c) == name), "inputSchema", $"Could not find input column '{name}'");
        return _drop
            ? columns.Where(c => !_names.Contains(nameOf(c)))
            : _names.SelectMany(name => columns.Where(c => nameOf(c) == name));
    }

    private IEnumerable<DataViewSchema.Column> Choose(DataViewSchema schema) =>
        Choose<DataViewSchema.Column>(_drop ? schema : [.. schema.Where(c => !c.IsHidden)], c => c.Name);

    internal static ColumnSelectingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        var drop = ctx.Reader.ReadBoolean();
        var names = new string[ctx.Reader.ReadCount(sizeof(int))];
        for (var i = 0; i < names.Length; i++)
            names[i] = ctx.LoadNonEmptyString();
        return new ColumnSelectingTransformer(env, names, drop);
    }
}

file sealed class SelectingMapper(DataViewSchema inputSchema, DataViewSchema outputSchema, int[] map) : IRowToRowMapper
{
    public DataViewSchema InputSchema => inputSchema;

    public DataViewSchema OutputSchema => outputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        dependingColumns.Select(c => inputSchema[map[c.Index]]);

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) =>
        Cursors.Map(input, outputSchema, map);
}
