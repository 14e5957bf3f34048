using Microsoft.ML.Data;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Transforms;

public sealed class ColumnCopyingEstimator : TrivialEstimator<ColumnCopyingTransformer>
{
    internal ColumnCopyingEstimator(IHostEnvironment env, string outputColumnName, string inputColumnName)
        : base(env.Register(nameof(ColumnCopyingEstimator)), new ColumnCopyingTransformer(env, [(outputColumnName, inputColumnName)]))
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(Transformer.Pairs.Select(pair =>
    {
        var column = ColumnPairs.Find(inputSchema, pair.Input);
        return new SchemaShape.Column(pair.Output, column.Kind, column.ItemType, column.IsKey, column.Annotations);
    }));
}

public sealed class ColumnCopyingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "CopyTransform";

    internal ColumnCopyingTransformer(IHostEnvironment env, (string Output, string Input)[] pairs)
        : base(env.Register(nameof(ColumnCopyingTransformer))) => Pairs = pairs;

    internal (string Output, string Input)[] Pairs { get; }

    private static VersionInfo Version => new(
        "COPYCOLT", 0x00010001, 0x00010001, 0x00010001, typeof(ColumnCopyingTransformer).Assembly.FullName, LoaderSignature);

    internal static ColumnCopyingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        return new ColumnCopyingTransformer(env, ColumnPairs.Load(ctx));
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.CheckAtModel();
        ctx.SetVersionInfo(Version);
        ColumnPairs.Save(ctx, Pairs);
    }

    private protected override IRowMapper MakeRowMapper(DataViewSchema schema) => MappedColumn.Mapper(this, Pairs.Select(pair =>
    {
        var column = ColumnPairs.Find(schema, pair.Input);
        return new MappedColumn(
            new(pair.Output, column.Type, column.Annotations), [column.Index],
            row => Types.Call<Delegate>(Getter<int>, column.Type.RawType, row, column));
    }));

    private static ValueGetter<T> Getter<T>(DataViewRow row, DataViewSchema.Column column) => row.GetGetter<T>(column);
}
