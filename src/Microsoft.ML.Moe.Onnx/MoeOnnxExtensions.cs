using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Onnx;

/// <summary>Writes trained models as ONNX files, for ONNX Runtime, ML.NET's <c>ApplyOnnxModel</c>, and whatever else reads them.</summary>
public static class MoeOnnxExtensions
{
    /// <summary>
    /// Writes a model as an ONNX file of operator set 17. It gives what <see cref="MoeTransformer.Transform"/> gives, to about 1e-5: the routers
    /// route in the graph, by the policy of <see cref="MoeTransformer.Router"/>. Where a token's scores for two experts differ by less than single
    /// precision tells, it can go to the other one, which moves its row's scores by more.
    /// </summary>
    /// <param name="model">
    /// The transformer: of a pipeline, <c>LastTransformer</c>. Classifiers, regressions and embedders are exported; models that write text are not.
    /// </param>
    /// <param name="path">Path of the file, which is replaced as a whole.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <remarks>
    /// The graph reads what the model reads, not what the pipeline reads: <c>Features</c>, the vector of a table; <c>Pixels</c>, an image of the
    /// model's size; <c>input_ids</c> and <c>attention_mask</c>, texts as ids of the model's tokenizer. It gives <c>Score</c> (and
    /// <c>Probability</c> or <c>Spread</c>), or <c>Embedding</c>. Shapes are in docs/onnx.md.
    /// </remarks>
    /// <exception cref="NotSupportedException">
    /// ONNX cannot express the model, or this export does not know a part of it; the message says which, and what to do.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public static void SaveOnnx(this MoeTransformer model, string path, OnnxOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var hold = model.Hold();
        switch (model.Model)
        {
            case FittedModel<FeatureRow> features:
                OnnxExport.Save(features.Network, path, options);
                break;
            case FittedModel<ImagePixels> images:
                OnnxExport.Save(images.Network, path, options);
                break;
            case FittedModel<EncodedText> texts:
                OnnxExport.Save(texts.Network, path, options, isPair: model is MoeTextClassificationTransformer { ReadsPairs: true });
                break;
            default:
                throw Unsupported.Because($"{model.GetType().Name} reads rows that are not known to the export", "Score with the model itself");
        }
    }
}
