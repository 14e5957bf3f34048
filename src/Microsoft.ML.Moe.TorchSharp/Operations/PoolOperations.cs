using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>One row for each sequence from the rows of its tokens.</summary>
internal static class PoolOperations
{
    /// <summary>For each query, softmax of its scores over the tokens, then the weighted sum of x.</summary>
    public static TorchTensor Attention(TorchTape tape, TorchTensor xTD, TorchTensor scoresTQ, SequenceLayout layout)
    {
        var columns = (long)scoresTQ.Columns * xTD.Columns;
        return tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            if (sequences.Count == 0)
                return sequences.Zeros(layout.Sequences, columns, xTD.Value, scoresTQ.Value);
            var weightsASQ = Masked(sequences, sequences.Pad(scoresTQ.Value)).softmax(1);
            var pooledAQD = weightsASQ.transpose(1, 2).bmm(sequences.Pad(xTD.Value));
            return sequences.Spread(pooledAQD.reshape(sequences.Count, columns));
        });
    }

    /// <summary>Largest value of each column.</summary>
    public static TorchTensor Max(TorchTape tape, TorchTensor xTD, SequenceLayout layout) =>
        tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            if (sequences.Count == 0)
                return sequences.Zeros(layout.Sequences, xTD.Columns, xTD.Value);
            var (largestAD, winnersAD) = Masked(sequences, sequences.Pad(xTD.Value)).max(1);
            winnersAD.Dispose();
            return sequences.Spread(largestAD);
        });

    /// <summary>Mean of each column.</summary>
    public static TorchTensor Mean(TorchTape tape, TorchTensor xTD, SequenceLayout layout) =>
        tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            return torch.zeros([layout.Sequences, xTD.Columns], device: tape.Device)
                .index_add(0, sequences.SequenceOfToken, sequences.Tokens(xTD.Value), Scalars.Of(1f))
                .mul(sequences.TokenShareB.unsqueeze(1));
        });

    private static torch.Tensor Masked(PackedSequences sequences, torch.Tensor valuesASC) => sequences.IsKeyAS is null
        ? valuesASC
        : valuesASC.masked_fill(sequences.IsKeyAS.unsqueeze(2).logical_not(), Scalars.Of(float.NegativeInfinity));
}
