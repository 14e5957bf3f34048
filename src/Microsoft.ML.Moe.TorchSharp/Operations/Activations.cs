using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>The non-linearities of <see cref="Activation"/>.</summary>
internal static class Activations
{
    // z/2·(1 + tanh(√(2/π)·(z + 0.044715·z³))). TorchSharp's gelu() is the form with the error function. Of bfloat16 it is computed in
    // single precision and rounded once.
    private static readonly Lazy<TorchScript> _script =
        new(() => new TorchScript("def gelu(z):\n    return torch.gelu(z, approximate='tanh')\n"));

    public static torch.Tensor Apply(this torch.Tensor z, Activation activation) => activation switch
    {
        Activation.None => z,
        Activation.Relu => z.relu(),
        Activation.GeluTanh => _script.Value.Call("gelu", z),
        Activation.GeluErf => z.gelu(),
        Activation.Silu => z.silu(),
        Activation.Tanh => z.tanh(),
        Activation.Sigmoid => z.sigmoid(),
        Activation.ClampedSwish => Swish(z.clamp(null, Scalars.Of(7f))),
        Activation.ClampedIncrement => z.clamp(Scalars.Of(-7f), Scalars.Of(7f)).Plus(1f),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "No such activation."),
    };

    private static torch.Tensor Swish(torch.Tensor z) => z.mul(z.mul(Scalars.Of(1.702f)).sigmoid());
}
