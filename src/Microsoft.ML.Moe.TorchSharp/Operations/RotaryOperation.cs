using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Rotary positions: of each head, the pair (a, b) becomes (a·cos − b·sin, a·sin + b·cos). Cosines and sines of a token, [T, 1, P], serve
/// all its heads.
/// </summary>
internal static class RotaryOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor xTD, ReadOnlySpan<int> positions, int heads, RotaryFrequencies rotary)
    {
        var (tokens, pairs, headWidth) = (positions.Length, rotary.Pairs, xTD.Columns / heads);
        var (cosines, sines) = (new float[tokens * pairs], new float[tokens * pairs]);
        for (var i = 0; i < cosines.Length; i++)
            (cosines[i], sines[i]) = rotary.Turn(positions[i / pairs], i % pairs);
        return tape.Run(() =>
        {
            if (tokens == 0 || pairs == 0)
                return xTD.Value.clone();
            var cosinesT1P = tape.Device.Upload(cosines, [tokens, 1, pairs]);
            var sinesT1P = tape.Device.Upload(sines, [tokens, 1, pairs]);
            var xTHK = xTD.Value.reshape(tokens, heads, headWidth);
            var turned = xTHK.narrow(2, 0, 2L * pairs);
            // The two of a pair stand in a dimension of their own, the last or the last but one.
            var (inPairs, place) = rotary.IsInterleaved
                ? (turned.reshape(tokens, heads, pairs, 2), 3)
                : (turned.reshape(tokens, heads, 2, pairs), 2);
            var (a, b) = (inPairs.select(place, 0), inPairs.select(place, 1));
            var first = a.mul(cosinesT1P).sub(b.mul(sinesT1P));
            var second = a.mul(sinesT1P).add(b.mul(cosinesT1P));
            List<torch.Tensor> parts = [torch.stack([first, second], place).reshape(tokens, heads, 2L * pairs)];
            if (2 * pairs < headWidth)
                parts.Add(xTHK.narrow(2, 2L * pairs, headWidth - 2L * pairs));
            return torch.cat(parts, 2).reshape(tokens, xTD.Columns);
        });
    }
}
