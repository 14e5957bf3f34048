using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>The non-linearities of <see cref="Activation"/>.</summary>
internal static class Activations
{
    private const float TwoRootTwoOverPi = 1.5957691216f;

    public static torch.Tensor Apply(this torch.Tensor z, Activation activation) => activation switch
    {
        Activation.None => z,
        Activation.Relu => z.relu(),
        Activation.Gelu => Gelu(z),
        Activation.Silu => z.silu(),
        Activation.Tanh => z.tanh(),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "No such activation."),
    };

    // z/2·(1 + tanh(u)) = z·sigmoid(2u) with u = √(2/π)·(z + 0.044715·z³). TorchSharp's gelu() is the form with the error function.
    // Of bfloat16 it is rounded once, like the activations that are one operation of libtorch.
    private static torch.Tensor Gelu(torch.Tensor rounded)
    {
        var z = rounded.As(torch.ScalarType.Float32);
        return z.square()
            .mul(Scalars.Of(TwoRootTwoOverPi * 0.044715f)).add(Scalars.Of(TwoRootTwoOverPi)).mul(z).sigmoid().mul(z)
            .As(rounded.dtype);
    }
}
