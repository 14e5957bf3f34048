namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Rows of a table.</summary>
internal readonly unsafe struct EmbeddingOperation(ManagedTensor tableVD, int* rows, int count, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor tableVD, ReadOnlySpan<int> indices)
    {
        var width = tableVD.Columns;
        var count = indices.Length;
        var result = tape.Result(tableVD.RequiresGradient, count, width);
        var rows = (result.RequiresGradient ? tape.Memory : tape.Scratch).AllocateIntegers(count);
        indices.CopyTo(new Span<int>(rows, count));
        if (tableVD.Stored is { } stored)
            Blocks.RunRows(tape, count, width, new WidenedCopies(stored, rows, width, result.Data));
        else
            Blocks.RunRows(tape, count, width, new Copies(tableVD.Data, rows, width, result.Data));
        tape.Record(result, new EmbeddingOperation(tableVD, rows, count, result));
        return result;
    }

    public void Backward(ManagedTape tape) => TableGradient.Add(tape, tableVD, rows, count, null, null, result.Gradient);

    private readonly struct Copies(float* table, int* rows, int width, float* y) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var i = first; i < first + count; i++)
                new ReadOnlySpan<float>(table + (long)rows[i] * width, width).CopyTo(new Span<float>(y + (long)i * width, width));
        }
    }

    private readonly struct WidenedCopies(StoredMatrices table, int* rows, int width, float* y) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var i = first; i < first + count; i++)
                table.ReadRow(rows[i], 0, new Span<float>(y + (long)i * width, width));
        }
    }
}
