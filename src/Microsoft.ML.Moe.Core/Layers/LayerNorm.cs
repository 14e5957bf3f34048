using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>Layer normalisation with learned gain and bias over the last dimension.</summary>
internal sealed class LayerNorm(ParameterStore store, string name, int width, float epsilon = 1e-5f) : INorm
{
    private readonly Parameter _gainD = store.Constant(name + ".gain", ParameterRole.Bias, 1f, width);
    private readonly Parameter _biasD = store.Constant(name + ".bias", ParameterRole.Bias, 0f, width);

    /// <inheritdoc/>
    public Tensor Forward(Tape tape, Tensor x) => tape.LayerNorm(x, _gainD, _biasD, epsilon);
}
