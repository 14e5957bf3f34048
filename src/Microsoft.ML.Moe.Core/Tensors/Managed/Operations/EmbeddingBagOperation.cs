using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Weighted sums of table rows.</summary>
internal readonly unsafe struct EmbeddingBagOperation(
    ManagedTensor tableVD, ManagedTensor? factorsN, int* rows, int entries, int* offsets, float* weights, float* given, ManagedTensor result) : IOperation
{
    private const int BagsPerItem = 16;

    /// <summary>How many entries before it is summed a row is fetched.</summary>
    private const int EntriesAhead = 4;

    /// <summary>Columns of a row that are converted at a time.</summary>
    private const int MostColumns = 512;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor tableVD, RaggedIndices bags, ManagedTensor? factorsN)
    {
        var entries = bags.Entries;
        var result = tape.Result(tableVD.RequiresGradient || factorsN?.RequiresGradient == true, bags.Count, tableVD.Columns);

        var memory = result.RequiresGradient ? tape.Memory : tape.Scratch;
        var rows = memory.AllocateIntegers(entries);
        var offsets = memory.AllocateIntegers(bags.Offsets.Length);
        var weights = memory.Allocate(entries);
        bags.Indices.CopyTo(new Span<int>(rows, entries));
        bags.Offsets.CopyTo(new Span<int>(offsets, bags.Offsets.Length));
        bags.Weights.CopyTo(new Span<float>(weights, entries));
        var given = weights;
        if (factorsN is not null)
        {
            weights = memory.Allocate(entries);
            tape.Kernels.Multiply(given, factorsN.Data, weights, entries);
        }

        var items = (bags.Count + BagsPerItem - 1) / BagsPerItem;
        var width = tableVD.Columns;
        if (tableVD.Stored is { } table)
        {
            var sums = new WidenedSums(tape.Kernels, table, width, rows, offsets, weights, bags.Count, result.Data);
            tape.Workers.Run(items, (long)entries * width, sums);
        }
        else
        {
            var sums = new Sums(tape.Kernels, tableVD.Data, width, rows, offsets, weights, bags.Count, result.Data);
            tape.Workers.Run(items, (long)entries * width, sums);
        }

        tape.Record(result, new EmbeddingBagOperation(tableVD, factorsN, rows, entries, offsets, weights, given, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var bagOfEntry = tape.Scratch.AllocateIntegers(entries);
        for (var bag = 0; bag < result.Shape[0]; bag++)
            new Span<int>(bagOfEntry + offsets[bag], offsets[bag + 1] - offsets[bag]).Fill(bag);
        if (tableVD.RequiresGradient)
            TableGradient.Add(tape, tableVD, rows, entries, bagOfEntry, weights, result.Gradient);
        if (factorsN?.RequiresGradient == true)
        {
            Blocks.RunRows(
                tape,
                entries,
                tableVD.Columns,
                new FactorGradient(tape.Kernels, tableVD, rows, bagOfEntry, given, result.Gradient, factorsN.GradientToAdd()));
        }
    }

    /// <summary>dFactor = weight·(row · dY) of each entry.</summary>
    private readonly struct FactorGradient(
        Kernels kernels, ManagedTensor tableVD, int* rows, int* bagOfEntry, float* given, float* dY, float* dFactorsN) : IBlockBody
    {
        public void Run(int first, int count)
        {
            var width = tableVD.Columns;
            for (var i = first; i < first + count; i++)
                dFactorsN[i] += given[i] * Product(rows[i], dY + (long)bagOfEntry[i] * width, width);
        }

        private float Product(int row, float* gradient, int width)
        {
            if (tableVD.Stored is not { } stored)
                return kernels.Dot(tableVD.Data + (long)row * width, gradient, width);
            var part = stackalloc float[MostColumns];
            var sum = 0f;
            for (var column = 0; column < width; column += MostColumns)
            {
                var columns = Math.Min(MostColumns, width - column);
                stored.ReadRow(row, column, new Span<float>(part, columns));
                sum += kernels.Dot(part, gradient + column, columns);
            }

            return sum;
        }
    }

    private readonly struct Sums(
        Kernels kernels, float* table, int width, int* rows, int* offsets, float* weights, int bags, float* y) : ILoopBody
    {
        public void Run(int item, int worker)
        {
            for (var bag = item * BagsPerItem; bag < Math.Min(bags, (item + 1) * BagsPerItem); bag++)
            {
                var first = offsets[bag];
                for (var entry = first; entry < offsets[bag + 1]; entry++)
                    Fetch(entry + EntriesAhead);
                kernels.SumRows(
                    table, width, rows + first, weights + first, offsets[bag + 1] - first, y + (long)bag * width, width, false);
            }
        }

        // Where a row lies the processor cannot know before it is asked for.
        private void Fetch(int entry)
        {
            if (!Sse.IsSupported || entry >= offsets[bags])
                return;
            var row = table + (long)rows[entry] * width;
            for (var column = 0; column < width; column += MemoryBlock.Alignment)
                Sse.Prefetch0(row + column);
        }
    }

    // The same sums, some columns at a time, for which the rows are converted.
    private readonly struct WidenedSums(
        Kernels kernels, StoredMatrices table, int width, int* rows, int* offsets, float* weights, int bags, float* y) : ILoopBody
    {
        public void Run(int item, int worker)
        {
            var part = stackalloc float[MostColumns];
            for (var bag = item * BagsPerItem; bag < Math.Min(bags, (item + 1) * BagsPerItem); bag++)
            {
                for (var column = 0; column < width; column += MostColumns)
                {
                    var count = Math.Min(MostColumns, width - column);
                    var sum = y + (long)bag * width + column;
                    new Span<float>(sum, count).Clear();
                    for (var entry = offsets[bag]; entry < offsets[bag + 1]; entry++)
                    {
                        table.ReadRow(rows[entry], column, new Span<float>(part, count));
                        kernels.AddScaled(weights[entry], part, sum, count);
                    }
                }
            }
        }
    }
}
