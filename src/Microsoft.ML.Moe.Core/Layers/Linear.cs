using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>activation(x·W + b) with W [I, O] and b [O], or without b; what an adapter adds to the product counts as part of it.</summary>
internal sealed class Linear
{
    private readonly Parameter _weightIO;
    private readonly Parameter? _biasO;
    private readonly Activation _activation;
    private readonly Adapter? _adapter;

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
        _adapter = store.AdapterOf(_weightIO);
    }

    /// <summary>[…, I] → […, O].</summary>
    public Tensor Forward(Tape tape, Tensor x) => _adapter is null
        ? tape.Linear(x, _weightIO, _biasO?.Value, _activation)
        : tape.Activate(_adapter.AddTo(tape, tape.Linear(x, _weightIO, _biasO?.Value), x), _activation);
}
