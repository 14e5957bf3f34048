using Microsoft.ML.Moe.Tensors.Managed;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Joins matrices along the last dimension.</summary>
internal static class ConcatOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor[] parts)
    {
        if (parts.Length == 0)
            throw new ArgumentException("At least one part.", nameof(parts));
        foreach (var part in parts)
        {
            Check.Rank(part, 2, nameof(parts));
            if (part.Shape[0] != parts[0].Shape[0])
            {
                throw new ArgumentException(
                    $"Parts {Check.Text(parts[0].Shape)} and {Check.Text(part.Shape)} differ in rows.", nameof(parts));
            }
        }

        return tape.Run(() => torch.cat(Array.ConvertAll(parts, part => part.Value), 1));
    }
}
