using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>What counts beside a model's encoder and head, without being part of the network.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
internal abstract class Branch<TRow>
{
    /// <summary>What <c>Config.json</c> holds of the model with it.</summary>
    /// <param name="config">What it holds of the model.</param>
    public abstract ModelConfig AddTo(ModelConfig config);

    /// <summary>Puts what it says of rows together with what the head does.</summary>
    /// <param name="engine">Has the threads.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="outputs">The head's outputs, as many for each row; become the model's.</param>
    public abstract void Combine(Engine engine, IReadOnlyList<TRow> rows, Span<float> outputs);

    /// <summary>What counts beside the model once that is changed, the same change in it: by default the same as before.</summary>
    /// <param name="change">Changes a model.</param>
    public virtual Branch<TRow> Follow(Func<Model<TRow>, Model<TRow>> change) => this;

    /// <summary>Its numbers, as <c>Weights.safetensors</c> holds them.</summary>
    public abstract IReadOnlyList<NamedValues> Export();
}
