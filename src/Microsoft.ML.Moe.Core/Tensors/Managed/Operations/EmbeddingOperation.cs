namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Rows of a table.</summary>
internal static unsafe class EmbeddingOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor tableVD, ReadOnlySpan<int> indices)
    {
        Check.Rank(tableVD, 2);
        Check.Indices(indices, tableVD.Shape[0]);
        var width = tableVD.Columns;
        var result = tape.Result(tableVD.RequiresGradient, indices.Length, width);
        for (var i = 0; i < indices.Length; i++)
        {
            new ReadOnlySpan<float>(tableVD.Data + (long)indices[i] * width, width)
                .CopyTo(new Span<float>(result.Data + (long)i * width, width));
        }

        if (!result.RequiresGradient)
            return result;
        var count = indices.Length;
        var rows = tape.Memory.AllocateIntegers(count);
        indices.CopyTo(new Span<int>(rows, count));
        tape.Record(result, () => TableGradient.Add(tape, tableVD, rows, count, null, null, result.Gradient));
        return result;
    }
}
