using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>Getters of the two added columns over one row's probabilities.</summary>
internal static class RowScores
{
    /// <summary>The key of the most probable class, 0 (missing) when there is none.</summary>
    public static uint PredictedLabel(ReadOnlySpan<float> probabilities)
    {
        var best = -1;
        for (var i = 0; i < probabilities.Length; i++)
            if (best < 0 ? !float.IsNaN(probabilities[i]) : probabilities[i] > probabilities[best])
                best = i;
        return (uint)(best + 1);
    }

    /// <summary>Copies the probabilities into a consumer's buffer.</summary>
    public static void CopyTo(ReadOnlySpan<float> probabilities, ref VBuffer<float> destination)
    {
        var editor = VBufferEditor.Create(ref destination, probabilities.Length);
        probabilities.CopyTo(editor.Values);
        destination = editor.Commit();
    }

    /// <summary>Hands out a getter under the type that a consumer asks for.</summary>
    /// <exception cref="InvalidOperationException">The column has another type.</exception>
    public static ValueGetter<TValue> Cast<TValue>(Delegate getter, DataViewSchema.Column column) =>
        getter as ValueGetter<TValue> ?? throw new InvalidOperationException(
            $"Column '{column.Name}' is of type {column.Type}, which is not read as {typeof(TValue)}.");

    /// <summary>The error for asking for a column that was not among those wanted.</summary>
    public static InvalidOperationException NotActive(DataViewSchema.Column column) =>
        new($"Column '{column.Name}' is not active: it was not among the columns asked for.");
}
