using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>Columns of a <see cref="SchemaShape"/>, which only ML.NET itself can make.</summary>
internal static class ColumnShape
{
    /// <summary>A column of single values.</summary>
    public static SchemaShape.Column Scalar(
        string name, DataViewType itemType, bool isKey = false, IEnumerable<SchemaShape.Column>? annotations = null) =>
        new(name, SchemaShape.Column.VectorKind.Scalar, itemType, isKey, new SchemaShape(annotations ?? []));

    /// <summary>A column of vectors of a fixed size.</summary>
    public static SchemaShape.Column Vector(
        string name, DataViewType itemType, IEnumerable<SchemaShape.Column>? annotations = null) =>
        new(name, SchemaShape.Column.VectorKind.Vector, itemType, false, new SchemaShape(annotations ?? []));

    /// <summary>A column of vectors, each of a size of its own.</summary>
    public static SchemaShape.Column VariableVector(string name, DataViewType itemType) =>
        new(name, SchemaShape.Column.VectorKind.VariableVector, itemType, false, new SchemaShape([]));
}
