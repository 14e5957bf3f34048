using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Heads;

/// <summary>A step from a text's pooled states to its embedding.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(DenseModule), "dense")]
[JsonDerivedType(typeof(StandardizeModule), "standardize")]
[JsonDerivedType(typeof(NormalizeModule), "normalize")]
internal abstract record EmbeddingModule
{
    /// <summary>Numbers of a row after this step.</summary>
    /// <param name="width">Numbers before.</param>
    public abstract int WidthAfter(int width);

    /// <summary>Makes the step.</summary>
    /// <param name="store">Makes its parameters.</param>
    /// <param name="name">Their name.</param>
    /// <param name="width">Numbers of a row before.</param>
    /// <returns>[B, before] → [B, after].</returns>
    public abstract Func<Tape, Tensor, Tensor> Create(ParameterStore store, string name, int width);
}

/// <summary>A linear layer with an activation: sentence-transformers' Dense.</summary>
internal sealed record DenseModule : EmbeddingModule
{
    private const int MostNumbers = 1 << 20;

    /// <summary>Numbers of a row after it.</summary>
    public required int Width { get; init => field = OptionCheck.Range(value, 1, MostNumbers, nameof(Width)); }

    /// <summary>Whether it has a bias.</summary>
    public bool HasBias { get; init; } = true;

    /// <summary>Activation of the result.</summary>
    public Activation Activation { get; init => field = OptionCheck.Defined(value, nameof(Activation)); } = Activation.Tanh;

    /// <inheritdoc/>
    public override int WidthAfter(int width) => Width;

    /// <inheritdoc/>
    public override Func<Tape, Tensor, Tensor> Create(ParameterStore store, string name, int width) =>
        new Linear(store, name, width, Width, Activation, hasBias: HasBias).Forward;
}

/// <summary>
/// Each component minus its mean, divided by its deviation, both of the rows that the transform was fitted on: what the MoE embedding of
/// USMoE (arXiv 2503.22996) does by batch, so that states and router weights weigh alike. A component that was the same everywhere gives 0.
/// </summary>
internal sealed record StandardizeModule : EmbeddingModule
{
    /// <inheritdoc/>
    public override int WidthAfter(int width) => width;

    /// <inheritdoc/>
    public override Func<Tape, Tensor, Tensor> Create(ParameterStore store, string name, int width)
    {
        var scale = store.Constant(name + ".scale", ParameterRole.Bias, 1f, 1, width);
        var shift = store.Constant(name + ".shift", ParameterRole.Bias, 0f, 1, width);
        return (tape, xBD) =>
        {
            var first = new int[xBD.Shape[0]];
            return tape.Add(tape.Multiply(xBD, tape.Embedding(scale, first)), tape.Embedding(shift, first));
        };
    }
}

/// <summary>Unit length, x / max(‖x‖, 1e-12): sentence-transformers' Normalize.</summary>
internal sealed record NormalizeModule : EmbeddingModule
{
    /// <inheritdoc/>
    public override int WidthAfter(int width) => width;

    /// <inheritdoc/>
    public override Func<Tape, Tensor, Tensor> Create(ParameterStore store, string name, int width) => (tape, xBD) => tape.Normalize(xBD);
}
