using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>Root-mean-square normalisation with a learned gain over the last dimension (T5, Llama).</summary>
internal sealed class RmsNorm(ParameterStore store, string name, int width, float epsilon) : INorm
{
    private readonly Parameter _gainD = store.Constant(name + ".gain", ParameterRole.Bias, 1f, width);

    /// <inheritdoc/>
    public Tensor Forward(Tape tape, Tensor x) => tape.RmsNorm(x, _gainD, epsilon);
}
