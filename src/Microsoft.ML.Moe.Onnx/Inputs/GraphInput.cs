using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>The inputs of a graph, and what a model's layers read of rows, computed of them.</summary>
internal abstract class GraphInput
{
    /// <summary>The traced rows.</summary>
    public abstract TracedRows Rows { get; }

    /// <summary>The traced rows as the model's embedding reads them.</summary>
    public abstract Batch Batch { get; }

    /// <summary>Has what layers read of the batch come from the graph's inputs.</summary>
    public abstract void BindTo(OnnxTape tape);

    /// <summary>The inputs for a model's rows, added to a graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="model">The model.</param>
    /// <param name="isPair">Whether rows are pairs of texts.</param>
    /// <param name="sizes">Sizes of the model's parameters.</param>
    /// <exception cref="NotSupportedException">Such rows cannot be read.</exception>
    public static GraphInput Of<TRow>(
        GraphBuilder graph, Model<TRow> model, bool isPair, IReadOnlyCollection<int> sizes) => (object)model.Input switch
    {
        FeatureInput features => new FeatureGraphInput(graph, features, sizes),
        PatchInput images => new ImageGraphInput(graph, images, sizes),
        PublishedTextInput text => new TokenIdGraphInput(graph, text, model.Config.Encoder, isPair, sizes),
        TableTextInput text => new TableTextGraphInput(graph, text, model.Config.Encoder, isPair, sizes),
        _ => throw Unsupported.Because($"{model.Input.GetType().Name} is not known to the export"),
    };
}
