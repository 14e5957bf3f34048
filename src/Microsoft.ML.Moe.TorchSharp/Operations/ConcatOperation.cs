using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Joins matrices along the last dimension.</summary>
internal static class ConcatOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor[] parts) =>
        tape.Run(() => Join(Array.ConvertAll(parts, part => part.Value), 1));

    /// <summary>Joins tensors along a dimension, by the one overload that all supported versions of TorchSharp have.</summary>
    public static torch.Tensor Join(IList<torch.Tensor> parts, long dimension) => torch.cat(parts, dimension);
}
