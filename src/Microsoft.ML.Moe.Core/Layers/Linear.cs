using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>activation(x·W + b) with W [I, O] and b [O], or without b.</summary>
internal sealed class Linear
{
    private readonly Parameter _weightIO;
    private readonly Parameter? _biasO;
    private readonly Activation _activation;

    public Linear(
        ParameterStore store,
        string name,
        int input,
        int output,
        Activation activation = Activation.None,
        float gain = 1f,
        bool hasBias = true)
    {
        _weightIO = store.Normal(name + ".weight", ParameterRole.Weight, gain / MathF.Sqrt(input), input, output);
        _biasO = hasBias ? store.Constant(name + ".bias", ParameterRole.Bias, 0f, output) : null;
        _activation = activation;
    }

    /// <summary>[…, I] → […, O].</summary>
    public Tensor Forward(Tape tape, Tensor x) => tape.Linear(x, _weightIO, _biasO?.Value, _activation);
}
