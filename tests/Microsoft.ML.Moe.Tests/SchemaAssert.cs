using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests;

/// <summary>Compares schemas with their annotations.</summary>
internal static class SchemaAssert
{
    private static readonly MethodInfo ShapeOfSchema =
        typeof(SchemaShape).GetMethod("Create", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!;

    /// <summary>The shape of a schema, as pipelines hand it to <c>GetOutputSchema</c>.</summary>
    public static SchemaShape ShapeOf(DataViewSchema schema) =>
        (SchemaShape)ShapeOfSchema.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [schema], null)!;

    /// <summary>Both have the same columns in the same order, with the same annotations and values of these.</summary>
    public static void Equal(DataViewSchema expected, DataViewSchema actual)
    {
        Assert.Equal(expected.Select(c => c.Name), actual.Select(c => c.Name));
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Type, actual[i].Type);
            Assert.Equal(expected[i].IsHidden, actual[i].IsHidden);
            Assert.Equal(Describe(expected[i].Annotations), Describe(actual[i].Annotations));
        }
    }

    /// <summary>Both promise the same columns, in any order, with the same annotations.</summary>
    public static void Equal(SchemaShape expected, SchemaShape actual) => Assert.Equal(Describe(expected), Describe(actual));

    /// <summary>An annotation as text.</summary>
    public static string AnnotationText(DataViewSchema.Annotations annotations, string name)
    {
        var type = annotations.Schema[name].Type.RawType;
        var read = typeof(SchemaAssert).GetMethod(nameof(ReadAnnotation), BindingFlags.Static | BindingFlags.NonPublic)!;
        return (string)read.MakeGenericMethod(type).Invoke(null, [annotations, name])!;
    }

    private static string Describe(DataViewSchema.Annotations annotations) => string.Join(
        '\n',
        annotations.Schema.Select(c => $"{c.Name}: {c.Type} = {AnnotationText(annotations, c.Name)}").Order(StringComparer.Ordinal));

    private static string Describe(SchemaShape shape) => string.Join('\n', shape.Select(Describe).Order(StringComparer.Ordinal));

    private static string Describe(SchemaShape.Column column) =>
        $"{column.Name}: {column.Kind} {column.ItemType}{(column.IsKey ? " key" : "")} ({Describe(column.Annotations).Replace('\n', ';')})";

    private static string ReadAnnotation<T>(DataViewSchema.Annotations annotations, string name)
    {
        T value = default!;
        annotations.GetValue(name, ref value);
        return value is ReadOnlyMemory<char> text ? text.ToString()
            : typeof(T).IsGenericType ? string.Join('|', (IEnumerable<string>)Items((dynamic)value!))
            : $"{value}";
    }

    private static List<string> Items<T>(VBuffer<T> vector) => [.. vector.DenseValues().Select(v => $"{v}")];
}
