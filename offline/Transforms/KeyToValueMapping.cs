using Microsoft.ML.Data;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Transforms;

public sealed class KeyToValueMappingEstimator : TrivialEstimator<KeyToValueMappingTransformer>
{
    internal KeyToValueMappingEstimator(IHostEnvironment env, InputOutputColumnPair[] columns)
        : base(env.Register(nameof(KeyToValueMappingEstimator)), new KeyToValueMappingTransformer(env, ColumnPairs.Of(columns)))
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.With(Transformer.Pairs.Select(pair =>
    {
        var column = ColumnPairs.Find(inputSchema, pair.Input);
        if (!column.IsKey)
            throw ColumnPairs.Mismatch(column.Name, "key type", column.GetTypeString());
        if (!column.Annotations.TryFindColumn(AnnotationUtils.Kinds.KeyValues, out var values))
            throw Contracts.ExceptParam(nameof(inputSchema), $"Input column '{column.Name}' doesn't contain key values metadata");
        var annotations = new SchemaShape(column.Annotations.TryFindColumn(AnnotationUtils.Kinds.SlotNames, out var names) ? [names] : []);
        return new SchemaShape.Column(pair.Output, column.Kind, values.ItemType, values.IsKey, annotations);
    }));
}

public sealed class KeyToValueMappingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "KeyToValueTransform";

    internal KeyToValueMappingTransformer(IHostEnvironment env, (string Output, string Input)[] pairs)
        : base(env.Register(nameof(KeyToValueMappingTransformer))) => Pairs = pairs;

    internal (string Output, string Input)[] Pairs { get; }

    private static VersionInfo Version => new(
        "KEY2VALT", 0x00010001, 0x00010001, 0x00010001, typeof(KeyToValueMappingTransformer).Assembly.FullName, LoaderSignature);

    internal static KeyToValueMappingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        return new KeyToValueMappingTransformer(env, ColumnPairs.Load(ctx));
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
        if (column.Type.Item() is not KeyDataViewType key)
            throw ColumnPairs.Mismatch(column.Name, "key type", column.Type);
        if (column.Annotations.Schema.GetColumnOrNull(AnnotationUtils.Kinds.KeyValues)?.Type is not VectorDataViewType values ||
            (ulong)values.Size != key.Count)
            throw Contracts.Except($"Metadata KeyValues does not exist for column '{column.Name}', or does not have {key.Count} values");
        DataViewType type = column.Type is VectorDataViewType vector
            ? new VectorDataViewType(values.ItemType, vector.Dimensions)
            : values.ItemType;
        var annotations = new DataViewSchema.Annotations.Builder();
        annotations.Add(column.Annotations, kind => kind == AnnotationUtils.Kinds.SlotNames);
        return new MappedColumn(
            new(pair.Output, type, annotations.ToAnnotations()), [column.Index],
            row => Types.Call<Delegate>(CreateGetter<int>, values.ItemType.RawType, row, column));
    }));

    private static Delegate CreateGetter<TValue>(DataViewRow row, DataViewSchema.Column column)
    {
        VBuffer<TValue> buffer = default;
        column.GetKeyValues(ref buffer);
        var values = new[] { Codec<TValue>.Instance.Missing }.Concat(buffer.DenseValues()).ToArray();
        return Types.Call<Delegate>(new Lookup<TValue>(values).Getter<int>, column.Type.Item().RawType, row, column);
    }
}

/// <summary>The values by key; the first is for the missing key.</summary>
file sealed class Lookup<TValue>(TValue[] values)
{
    public Delegate Getter<TKey>(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is not VectorDataViewType)
        {
            var get = row.GetGetter<TKey>(column);
            TKey key = default;
            return (ValueGetter<TValue>)((ref TValue value) =>
            {
                get(ref key);
                value = Find(key);
            });
        }

        var getVector = row.GetGetter<VBuffer<TKey>>(column);
        VBuffer<TKey> keys = default;
        return (ValueGetter<VBuffer<TValue>>)((ref VBuffer<TValue> value) =>
        {
            getVector(ref keys);
            var editor = VBufferEditor.Create(ref value, keys.Length);
            for (var i = 0; i < keys.Length; i++)
                editor.Values[i] = Find(keys.GetItemOrDefault(i));
            value = editor.Commit();
        });
    }

    private TValue Find<TKey>(TKey key) => Numbers.ToDouble(key) is var index && index < values.Length ? values[(int)index] : values[0];
}
