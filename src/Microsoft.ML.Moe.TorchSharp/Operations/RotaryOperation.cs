using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Rotary positions: of each head, the pair (a, b) becomes (a·cos − b·sin, a·sin + b·cos). Cosines and sines of a token, [T, 1, P], serve
/// all its heads.
/// </summary>
internal static class RotaryOperation
{
    public static TorchTensor Forward(
        TorchTape tape, TorchTensor xTD, ReadOnlySpan<int> positions, int heads, ReadOnlySpan<RotaryFrequencies> rotary)
    {
        var (tokens, headWidth) = (positions.Length, xTD.Columns / heads);
        var (pairs, before, isInterleaved) =
            rotary.Length == 0 ? default : (rotary[0].Pairs, rotary[0].FirstColumn, rotary[0].IsInterleaved);
        var (cosines, sines) = (new float[tokens * pairs], new float[tokens * pairs]);
        for (var i = 0; i < cosines.Length; i++)
            (cosines[i], sines[i]) = rotary[rotary.Length == 1 ? 0 : i / pairs].Turn(positions[i / pairs], i % pairs);
        return tape.Run(() =>
        {
            if (tokens == 0 || pairs == 0)
                return xTD.Value.clone();
            var cosinesT1P = tape.Device.Upload(cosines, [tokens, 1, pairs]);
            var sinesT1P = tape.Device.Upload(sines, [tokens, 1, pairs]);
            var xTHK = xTD.Value.reshape(tokens, heads, headWidth);
            var turned = xTHK.narrow(2, before, 2L * pairs);
            // The two of a pair stand in a dimension of their own, the last or the last but one.
            var (inPairs, place) = isInterleaved
                ? (turned.reshape(tokens, heads, pairs, 2), 3)
                : (turned.reshape(tokens, heads, 2, pairs), 2);
            var (a, b) = (inPairs.select(place, 0), inPairs.select(place, 1));
            var first = a.mul(cosinesT1P).sub(b.mul(sinesT1P));
            var second = a.mul(sinesT1P).Plus(b.mul(cosinesT1P));
            List<torch.Tensor> parts = [torch.stack([first, second], place).reshape(tokens, heads, 2L * pairs)];
            if (before > 0)
                parts.Insert(0, xTHK.narrow(2, 0, before));
            var end = before + 2L * pairs;
            if (end < headWidth)
                parts.Add(xTHK.narrow(2, end, headWidth - end));
            return torch.cat(parts, 2).reshape(tokens, xTD.Columns);
        });
    }
}
