using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>activation(x₀·W + b) of each sequence's first token: BERT's pooler, named <c>pooler</c>, and its like.</summary>
internal sealed class FirstTokenLayer(ParameterStore store, string name, int width, Activation activation = Activation.Tanh)
{
    private readonly Linear _dense = new(store, name, width, width, activation);

    /// <summary>[T, D] → [B, D]; every sequence has a token.</summary>
    public Tensor Forward(Tape tape, Tensor xTD, SequenceLayout layout) =>
        _dense.Forward(tape, tape.Embedding(xTD, layout.Offsets[..layout.Sequences]));
}
