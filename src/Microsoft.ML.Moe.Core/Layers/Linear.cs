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

    /// <summary>x·W of inputs most of which are 0, without bias and activation.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="inputs">For each row of x the inputs that are not 0, and what they are.</param>
    /// <param name="factorsN">A factor of each of them, [N].</param>
    /// <returns>[T, O].</returns>
    public Tensor Sums(Tape tape, RaggedIndices inputs, Tensor factorsN) => tape.EmbeddingBag(_weightIO, inputs, factorsN);

    /// <summary>[…, inputs] → […, O], where the product of the other inputs is known. Not with an adapter.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Values of some of the inputs.</param>
    /// <param name="inputs">Their numbers.</param>
    /// <param name="others">The product of the others, […, O].</param>
    public Tensor Forward(Tape tape, Tensor x, ReadOnlySpan<int> inputs, Tensor others) => _adapter is null
        ? tape.Activate(tape.Add(tape.Linear(x, tape.Embedding(_weightIO, inputs), _biasO?.Value), others), _activation)
        : throw new NotSupportedException("An adapter reads all inputs.");
}
