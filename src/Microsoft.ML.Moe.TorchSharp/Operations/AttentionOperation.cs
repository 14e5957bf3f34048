using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Softmax attention within each sequence, all sequences at once: padded to the longest on the device (A sequences with tokens, S
/// positions, H heads of width K).
/// </summary>
internal static class AttentionOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor qkvT3D, SequenceLayout layout, int heads, float dropout)
    {
        return tape.Run(() =>
        {
            var sequences = tape.Sequences(layout);
            if (sequences.Count == 0)
                return sequences.Zeros(layout.Tokens, qkvT3D.Columns / 3, qkvT3D.Value);
            var (longest, headWidth) = (sequences.Longest, qkvT3D.Columns / 3 / heads);
            var qkv3AHSK = sequences.Pad(qkvT3D.ValueAs(tape.ProductType))
                .reshape(sequences.Count, longest, 3, heads, headWidth)
                .permute(2, 0, 3, 1, 4)
                .unbind(0);
            var outAHSK = Attend(tape, qkv3AHSK, sequences.IsKeyAS?.reshape(sequences.Count, 1, 1, longest), dropout);
            return sequences.Unpad(outAHSK.transpose(1, 2).reshape((long)sequences.Count * longest, (long)heads * headWidth));
        });
    }

    private static torch.Tensor Attend(TorchTape tape, torch.Tensor[] qkv, torch.Tensor? isKey, float dropout)
    {
        var (qAHSK, kAHSK, vAHSK) = (qkv[0], qkv[1], qkv[2]);
        if (dropout == 0f)
            return torch.nn.functional.scaled_dot_product_attention(qAHSK, kAHSK, vAHSK, isKey);

        // The fused form draws its dropout from random numbers that all threads share.
        var scoresAHSS = qAHSK.matmul(kAHSK.transpose(2, 3)).As(torch.ScalarType.Float32)
            .mul(Scalars.Of(1f / MathF.Sqrt(qAHSK.shape[3])));
        if (isKey is not null)
            scoresAHSS = scoresAHSS.masked_fill(isKey.logical_not(), Scalars.Of(float.NegativeInfinity));
        return DropoutOperation.Apply(tape, scoresAHSS.softmax(-1), dropout).As(tape.ProductType).matmul(vAHSK);
    }
}
