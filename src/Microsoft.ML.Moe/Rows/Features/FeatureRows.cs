using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Rows of features; sparse vectors stay sparse.</summary>
/// <param name="name">Name of the feature column.</param>
/// <param name="slots">Size that it must have.</param>
internal sealed class FeatureRows(string name, int slots) : RowSource<FeatureRow>
{
    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(DataViewSchema schema) => [FeatureColumn.Find(schema, name, slots)];

    /// <inheritdoc/>
    public override RowReader<FeatureRow> CreateReader(DataViewRow row, DataViewSchema.Column[] columns)
    {
        var getter = row.GetGetter<VBuffer<float>>(columns[0]);
        VBuffer<float> vector = default;
        return (out long size) =>
        {
            getter(ref vector);
            var features = vector.IsDense
                ? FeatureRow.Dense(vector.GetValues())
                : FeatureRow.Sparse(vector.Length, vector.GetIndices(), vector.GetValues());
            size = features.Bytes;
            return () => features;
        };
    }
}
