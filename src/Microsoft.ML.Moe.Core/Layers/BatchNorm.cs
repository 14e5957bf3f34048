using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>Batch normalisation (Ioffe and Szegedy 2015) with learned gain and bias, and running statistics for scoring.</summary>
internal sealed class BatchNorm(ParameterStore store, string name, int width, float epsilon = 1e-5f) : INorm
{
    private readonly Parameter _gainC = store.Constant(name + ".gain", ParameterRole.Bias, 1f, width);
    private readonly Parameter _biasC = store.Constant(name + ".bias", ParameterRole.Bias, 0f, width);
    private readonly Parameter _meanC = store.Constant(name + ".mean", ParameterRole.Statistic, 0f, width);
    private readonly Parameter _varianceC = store.Constant(name + ".variance", ParameterRole.Statistic, 1f, width);

    /// <inheritdoc/>
    public Tensor Forward(Tape tape, Tensor x) => tape.BatchNorm(x, _gainC, _biasC, _meanC, _varianceC, epsilon: epsilon);
}
