using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Rounding to another precision, and back; gradients take the way in the other direction.</summary>
internal static class ScalarTypes
{
    /// <summary>The values in a type; the tensor itself if it is of that type.</summary>
    public static torch.Tensor As(this torch.Tensor values, torch.ScalarType type) =>
        values.dtype == type ? values : values.to_type(type);
}
