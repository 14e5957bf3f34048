using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>What getters of columns have in common.</summary>
internal static class Getters
{
    /// <summary>Hands out a getter under the type that a consumer asks for.</summary>
    /// <exception cref="InvalidOperationException">The column has another type.</exception>
    public static ValueGetter<TValue> Cast<TValue>(Delegate getter, DataViewSchema.Column column) =>
        getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
            $"Column '{column.Name}' is of type {column.Type}, which is not read as {typeof(TValue)}.");

    /// <summary>The error for asking for a column that was not among those wanted.</summary>
    public static InvalidOperationException NotActive(DataViewSchema.Column column) =>
        new($"Column '{column.Name}' is not active: it was not among the columns asked for.");

    /// <summary>Copies values into a consumer's buffer.</summary>
    public static void CopyTo(ReadOnlySpan<float> values, ref VBuffer<float> destination)
    {
        var editor = VBufferEditor.Create(ref destination, values.Length);
        values.CopyTo(editor.Values);
        destination = editor.Commit();
    }
}
