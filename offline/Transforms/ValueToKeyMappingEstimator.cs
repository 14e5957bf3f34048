using Microsoft.ML.Data;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Transforms;

public sealed class ValueToKeyMappingEstimator : IEstimator<ValueToKeyMappingTransformer>
{
    private readonly IHostEnvironment _env;
    private readonly InputOutputColumnPair[] _columns;
    private readonly int _maximum;
    private readonly KeyOrdinality _ordinality;
    private readonly bool _asText;
    private readonly IDataView _keyData;

    internal ValueToKeyMappingEstimator(
        IHostEnvironment env, InputOutputColumnPair[] columns, int maximum, KeyOrdinality ordinality, bool asText, IDataView keyData)
    {
        Contracts.CheckValue(columns, nameof(columns));
        Contracts.CheckParam(maximum > 0, "maximumNumberOfKeys", "Must be positive.");
        _env = env;
        _columns = columns;
        _maximum = maximum;
        _ordinality = ordinality;
        _asText = asText;
        _keyData = keyData;
    }

    public enum KeyOrdinality : byte
    {
        ByOccurrence = 0,
        ByValue = 1,
    }

    public ValueToKeyMappingTransformer Fit(IDataView input)
    {
        Contracts.CheckValue(input, nameof(input));
        if (_keyData != null)
            Contracts.CheckParam(_keyData.Schema.Count(c => !c.IsHidden) == 1, "keyData", "The key data must have one column.");
        var maps = _columns.Select(pair =>
        {
            var column = ColumnPairs.Find(input.Schema, pair.InputColumnName);
            var (data, source) = _keyData == null ? (input, column) : (_keyData, _keyData.Schema.Last(c => !c.IsHidden));
            if (!source.Type.Item().Equals(column.Type.Item()))
                throw ColumnPairs.Mismatch(column.Name, source.Type.Item().ToString(), column.Type);
            return new ValueToKeyMappingTransformer.ColumnMap(
                pair.OutputColumnName, pair.InputColumnName, _asText, TermMap.Learn(data, source, _maximum, _ordinality));
        });
        return new ValueToKeyMappingTransformer(_env, [.. maps]);
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Contracts.CheckValue(inputSchema, nameof(inputSchema));
        return inputSchema.With(_columns.Select(pair =>
        {
            var column = ColumnPairs.Find(inputSchema, pair.InputColumnName);
            if (!Types.Primitives.Contains(column.ItemType))
                throw ColumnPairs.Mismatch(column.Name, "a primitive type", column.GetTypeString());
            if (!column.IsKey || !column.Annotations.TryFindColumn(AnnotationUtils.Kinds.KeyValues, out var values) ||
                values.Kind != SchemaShape.Column.VectorKind.Vector)
                values = new SchemaShape.Column(
                    AnnotationUtils.Kinds.KeyValues, SchemaShape.Column.VectorKind.Vector,
                    _asText ? TextDataViewType.Instance : column.ItemType, column.IsKey);
            var annotations = column.Annotations.TryFindColumn(AnnotationUtils.Kinds.SlotNames, out var names)
                ? new SchemaShape([names, values])
                : new SchemaShape([values]);
            return new SchemaShape.Column(pair.OutputColumnName, column.Kind, NumberDataViewType.UInt32, true, annotations);
        }));
    }
}
