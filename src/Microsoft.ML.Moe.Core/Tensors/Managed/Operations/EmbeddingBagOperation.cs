namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Weighted sums of table rows.</summary>
internal static unsafe class EmbeddingBagOperation
{
    private const int BagsPerItem = 16;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor tableVD, RaggedIndices bags)
    {
        Check.Rank(tableVD, 2);
        var entries = bags.Entries;
        var result = tape.Result(tableVD.RequiresGradient, bags.Count, tableVD.Columns);

        // Checked and used is a copy, so that nobody can change it in between.
        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var rows = memory.AllocateIntegers(entries);
        var offsets = memory.AllocateIntegers(bags.Offsets.Length);
        var weights = memory.Allocate(entries);
        bags.Indices.CopyTo(new Span<int>(rows, entries));
        bags.Offsets.CopyTo(new Span<int>(offsets, bags.Offsets.Length));
        bags.Weights.CopyTo(new Span<float>(weights, entries));
        Check.Indices(new ReadOnlySpan<int>(rows, entries), tableVD.Shape[0], nameof(bags));
        Check.Offsets(new ReadOnlySpan<int>(offsets, bags.Offsets.Length), entries, nameof(bags));

        var width = tableVD.Columns;
        var kernels = tape.Kernels;
        var table = tableVD.Data;
        var y = result.Data;
        var count = bags.Count;
        tape.Workers.Run((count + BagsPerItem - 1) / BagsPerItem, (long)entries * width, (item, _) =>
        {
            for (var bag = item * BagsPerItem; bag < Math.Min(count, (item + 1) * BagsPerItem); bag++)
            {
                var first = offsets[bag];
                kernels.SumRows(
                    table, width, rows + first, weights + first, offsets[bag + 1] - first, y + (long)bag * width, width, false);
            }
        });
        tape.Record(result, () => Backward(tape, tableVD, result, rows, entries, offsets, weights));
        return result;
    }

    private static void Backward(
        ManagedTape tape, ManagedTensor tableVD, ManagedTensor result, int* rows, int entries, int* offsets, float* weights)
    {
        var bagOfEntry = tape.Scratch.AllocateIntegers(entries);
        for (var bag = 0; bag < result.Shape[0]; bag++)
            new Span<int>(bagOfEntry + offsets[bag], offsets[bag + 1] - offsets[bag]).Fill(bag);
        TableGradient.Add(tape, tableVD, rows, entries, bagOfEntry, weights, result.Gradient);
    }
}
