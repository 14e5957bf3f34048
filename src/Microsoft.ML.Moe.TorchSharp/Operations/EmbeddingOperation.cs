using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Rows of a table, and weighted sums of rows. Of a table with sparse rows, only the rows read take part in autograd.</summary>
internal static class EmbeddingOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor tableVD, ReadOnlySpan<int> indices)
    {
        var rows = indices.ToArray();
        return tape.Run(() => Rows(tape, tableVD, rows));
    }

    public static TorchTensor Forward(TorchTape tape, TorchTensor tableVD, RaggedIndices bags, TorchTensor? factorsN)
    {
        int[] rows = [.. bags.Indices];
        float[] weights = [.. bags.Weights];
        var bagOfEntry = new int[rows.Length];
        for (var bag = 0; bag < bags.Count; bag++)
            bagOfEntry.AsSpan(bags.Offsets[bag]..bags.Offsets[bag + 1]).Fill(bag);
        return tape.Run(() =>
        {
            var weightsN = tape.Device.Upload(weights);
            var weightsN1 = (factorsN is null ? weightsN : weightsN.mul(factorsN.Value)).unsqueeze(1);
            var weightedND = Rows(tape, tableVD, rows).mul(weightsN1);
            return torch.zeros([bags.Count, tableVD.Columns], device: tape.Device)
                .index_add(0, tape.Device.Upload(bagOfEntry), weightedND, Scalars.Of(1f));
        });
    }

    private static torch.Tensor Rows(TorchTape tape, TorchTensor tableVD, int[] rows)
    {
        if (!tape.IsTraining || !tableVD.RequiresGradient || tableVD.RowGradient is null)
            return tableVD.SelectRows(tape.Device.Upload(rows), torch.ScalarType.Float32);
        var slots = new RowSlots();
        var slotOfRow = slots.Of(rows);
        return tape.TableRows(tableVD, [.. slots.Rows]).index_select(0, tape.Device.Upload(slotOfRow));
    }
}
