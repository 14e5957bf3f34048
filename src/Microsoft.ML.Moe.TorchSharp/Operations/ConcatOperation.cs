using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Joins matrices along the last dimension.</summary>
internal static class ConcatOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor[] parts) =>
        tape.Run(() => torch.cat(Array.ConvertAll(parts, part => part.Value), 1));
}
