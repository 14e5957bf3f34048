using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Rows of features; sparse vectors stay sparse.</summary>
/// <param name="name">Name of the feature column.</param>
/// <param name="slots">Size that it must have.</param>
internal sealed class FeatureRows(string name, int slots) : RowSource<FeatureRow>
{
    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(NamedSchema schema) => [FeatureColumn.Find(schema, name, slots)];

    /// <inheritdoc/>
    public override void CheckInformation(IReadOnlyList<FeatureRow> rows, TableName table, bool isLearned)
    {
        if (rows.Count > 0 && rows.All(IsMissing))
            throw new InvalidOperationException(
                $"All features of all {rows.Count} rows in column '{name}' of the {table.Text} are missing (NaN); is the separator right?");
        if (isLearned && AreSame(rows, IsSame))
            throw new InvalidOperationException(
                $"All {rows.Count} rows in column '{name}' of the {table.Text} have the same features: no label can be told from them; are the "
                + "columns right, and the separator?");
    }

    private static bool IsMissing(FeatureRow row)
    {
        foreach (var value in row.Values)
            if (float.IsFinite(value))
                return false;
        return !row.IsSparse;
    }

    // what is no number is missing, whatever it is
    private static bool IsSame(FeatureRow one, FeatureRow other)
    {
        for (var slot = 0; slot < one.Slots; slot++)
            if (one[slot] != other[slot] && (float.IsFinite(one[slot]) || float.IsFinite(other[slot])))
                return false;
        return true;
    }

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
