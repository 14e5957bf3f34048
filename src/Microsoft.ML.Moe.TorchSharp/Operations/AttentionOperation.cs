using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Softmax attention within each sequence, all sequences at once: padded to the longest on the device (A sequences, T queries, S keys, H
/// heads of queries, G heads of keys and values, K and V their widths).
/// </summary>
internal static class AttentionOperation
{
    /// <summary>Self-attention of queries, keys and values side by side.</summary>
    public static TorchTensor Forward(TorchTape tape, TorchTensor qkvT3D, SequenceLayout layout, int heads, float dropout) => tape.Run(() =>
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

    /// <summary>Attention of matrices of their own.</summary>
    public static TorchTensor Forward(
        TorchTape tape,
        TorchTensor qTD,
        TorchTensor kSD,
        TorchTensor vSD,
        AttentionSpec spec,
        SequenceLayout queries,
        SequenceLayout keys,
        TorchTensor? bias,
        int zero,
        TorchTensor? sinksH) => tape.Run(() =>
    {
        var pairs = new AttentionPairs(tape, queries, keys);
        var (k, v) = (kSD.ValueAs(tape.ProductType), vSD.ValueAs(tape.ProductType));
        return pairs.Count == 0
            ? Zeros(tape, queries.Tokens, spec.Heads * (vSD.Columns / spec.KeyValueHeads), qTD, kSD, vSD, bias, sinksH)
            : Attend(tape, qTD, pairs.Keys(k), pairs.Keys(v), spec, pairs, bias, zero, sinksH);
    });

    /// <summary>Attention to what a cache holds.</summary>
    public static TorchTensor Forward(
        TorchTape tape,
        TorchTensor qTD,
        AttentionSpec spec,
        SequenceLayout queries,
        TorchKeyValueCache cache,
        TorchTensor? bias,
        int zero,
        TorchTensor? sinksH) =>
        tape.Run(() =>
        {
            var pairs = new AttentionPairs(tape, queries, cache);
            return pairs.Count == 0
                ? Zeros(tape, queries.Tokens, spec.Heads * (cache.ValueWidth / spec.KeyValueHeads), qTD)
                : Attend(tape, qTD, pairs.Keys(cache.Keys), pairs.Keys(cache.Values), spec, pairs, bias, zero, sinksH);
        });

    private static torch.Tensor Zeros(TorchTape tape, long rows, long columns, params ReadOnlySpan<TorchTensor?> sources)
    {
        var zeros = torch.zeros([rows, columns], device: tape.Device);
        foreach (var source in sources)
            zeros = source is null ? zeros : zeros.Plus(source.Value.narrow(0, 0, 0).sum());
        return zeros;
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

    private static torch.Tensor Attend(
        TorchTape tape,
        TorchTensor qTD,
        torch.Tensor kASD,
        torch.Tensor vASD,
        AttentionSpec spec,
        AttentionPairs pairs,
        TorchTensor? bias,
        int zero,
        TorchTensor? sinksH)
    {
        var (count, most, mostKeys) = (pairs.Count, pairs.MostQueries, pairs.MostKeys);
        var (heads, groups) = (spec.Heads, spec.KeyValueHeads);
        var (shared, headWidth, valueWidth) = (heads / groups, qTD.Columns / heads, vASD.shape[2] / groups);

        // The heads that share keys and values stand one after the other as more queries of one product.
        var qAGQK = pairs.Queries(qTD.ValueAs(tape.ProductType))
            .reshape(count, most, groups, shared, headWidth)
            .permute(0, 2, 3, 1, 4)
            .reshape(count, groups, (long)shared * most, headWidth);
        var kAGSK = kASD.reshape(count, mostKeys, groups, headWidth).transpose(1, 2);
        var vAGSV = vASD.reshape(count, mostKeys, groups, valueWidth).transpose(1, 2);
        var scoresAHTS = qAGQK.matmul(kAGSK.transpose(2, 3))
            .As(torch.ScalarType.Float32)
            .mul(Scalars.Of(spec.Scale ?? 1f / MathF.Sqrt(headWidth)))
            .reshape(count, heads, most, mostKeys);
        if (bias is not null)
            scoresAHTS = scoresAHTS.Plus(pairs.Bias(bias.Value, zero));

        // Finite, and zeroed afterwards: the softmax of a query that sees nothing would be no number.
        var isHidden = pairs.IsSeen(spec)?.logical_not();
        if (isHidden is not null)
            scoresAHTS = scoresAHTS.masked_fill(isHidden, Scalars.Of(-1e30f));
        torch.Tensor usedAHTS;
        if (sinksH is null)
        {
            usedAHTS = scoresAHTS.softmax(-1);
        }
        else
        {
            var sinksAHT1 = sinksH.Value.reshape(1, heads, 1, 1).expand(count, heads, most, 1);
            usedAHTS = torch.cat([scoresAHTS, sinksAHT1], -1).softmax(-1).narrow(-1, 0, mostKeys);
        }

        if (isHidden is not null)
            usedAHTS = usedAHTS.masked_fill(isHidden, Scalars.Of(0f));
        if (tape.IsTraining && spec.Dropout > 0f)
            usedAHTS = DropoutOperation.Apply(tape, usedAHTS, spec.Dropout);
        var outTD = usedAHTS.As(tape.ProductType)
            .reshape(count, groups, (long)shared * most, mostKeys)
            .matmul(vAGSV)
            .reshape(count, groups, shared, most, valueWidth)
            .permute(0, 3, 1, 2, 4)
            .reshape((long)count * most, heads * valueWidth);
        return pairs.Unpad(outTD);
    }
}
