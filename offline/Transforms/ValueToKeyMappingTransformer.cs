using Microsoft.ML.Data;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Transforms;

public sealed class ValueToKeyMappingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "TermTransform";

    private readonly ColumnMap[] _maps;

    internal ValueToKeyMappingTransformer(IHostEnvironment env, ColumnMap[] maps)
        : base(env.Register(nameof(ValueToKeyMappingTransformer))) => _maps = maps;

    private static VersionInfo Version => new(
        "TERMTRNF", 0x00010001, 0x00010001, 0x00010001, typeof(ValueToKeyMappingTransformer).Assembly.FullName, LoaderSignature);

    internal static ValueToKeyMappingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        var maps = new ColumnMap[ctx.Reader.ReadCount(sizeof(int))];
        for (var i = 0; i < maps.Length; i++)
        {
            TermMap terms = null;
            var (output, input, asText) = (ctx.LoadNonEmptyString(), ctx.LoadNonEmptyString(), ctx.Reader.ReadBoolean());
            Contracts.CheckDecode(
                ctx.TryLoadBinaryStream($"Terms_{i:000}", reader => terms = TermMap.Load(reader)), "Corrupt model file: no terms.");
            maps[i] = new ColumnMap(output, input, asText, terms);
        }

        return new ValueToKeyMappingTransformer(env, maps);
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.CheckAtModel();
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(_maps.Length);
        for (var i = 0; i < _maps.Length; i++)
        {
            ctx.SaveNonEmptyString(_maps[i].Output);
            ctx.SaveNonEmptyString(_maps[i].Input);
            ctx.Writer.Write(_maps[i].AsText);
            ctx.SaveBinaryStream($"Terms_{i:000}", _maps[i].Terms.Save);
        }
    }

    private protected override IRowMapper MakeRowMapper(DataViewSchema schema) => MappedColumn.Mapper(this, _maps.Select(map =>
    {
        var column = ColumnPairs.Find(schema, map.Input);
        if (!column.Type.Item().Equals(map.Terms.ItemType))
            throw Contracts.Except(
                $"Could not apply a map over type '{map.Terms.ItemType}' to column '{map.Input}' since it has type '{column.Type}'");
        DataViewType type = column.Type is VectorDataViewType vector
            ? new VectorDataViewType(map.Terms.OutputType, vector.Dimensions)
            : map.Terms.OutputType;
        var annotations = new DataViewSchema.Annotations.Builder();
        annotations.Add(column.Annotations, kind => kind == AnnotationUtils.Kinds.SlotNames);
        map.Terms.AddKeyValues(annotations, column, map.AsText);
        return new MappedColumn(
            new(map.Output, type, annotations.ToAnnotations()), [column.Index], row => map.Terms.CreateGetter(row, column));
    }));

    internal sealed class ColumnMap
    {
        internal ColumnMap(string output, string input, bool asText, TermMap terms) =>
            (Output, Input, AsText, Terms) = (output, input, asText, terms);

        internal string Output { get; }

        internal string Input { get; }

        internal bool AsText { get; }

        internal TermMap Terms { get; }
    }
}
