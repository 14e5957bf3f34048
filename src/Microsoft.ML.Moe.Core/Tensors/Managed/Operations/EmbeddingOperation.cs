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
        var count = indices.Length;
        var rows = (result.RequiresGradient ? tape.Memory : tape.Scratch).AllocateIntegers(count);
        indices.CopyTo(new Span<int>(rows, count));
        var table = tableVD.Data;
        var y = result.Data;
        Blocks.RunRows(tape, count, width, (first, rowCount) =>
        {
            for (var i = first; i < first + rowCount; i++)
            {
                new ReadOnlySpan<float>(table + (long)rows[i] * width, width)
                    .CopyTo(new Span<float>(y + (long)i * width, width));
            }
        });
        tape.Record(result, () => TableGradient.Add(tape, tableVD, rows, count, null, null, result.Gradient));
        return result;
    }
}
