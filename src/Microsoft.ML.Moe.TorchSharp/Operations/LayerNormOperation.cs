using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Layer normalisation over the last dimension.</summary>
internal static class LayerNormOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor x, TorchTensor gain, TorchTensor bias, float epsilon) =>
        tape.Run(() => torch.nn.functional.layer_norm(x.Value, [x.Columns], gain.Value, bias.Value, epsilon));
}
