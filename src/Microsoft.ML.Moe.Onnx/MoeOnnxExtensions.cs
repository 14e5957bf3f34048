using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Onnx.Inputs;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Onnx;

/// <summary>Writes trained models as ONNX files, for ONNX Runtime, ML.NET's <c>ApplyOnnxModel</c>, and whatever else reads them.</summary>
public static class MoeOnnxExtensions
{
    /// <summary>
    /// Writes a model as an ONNX file of operator set 17. It gives what <see cref="MoeTransformer.Transform"/> gives, to about 1e-5: the
    /// routers route in the graph, by the policy of <see cref="MoeTransformer.Router"/>. Where a token's scores for two experts differ by
    /// less than single precision tells, it can go to the other one, which moves its row's scores by more.
    /// </summary>
    /// <param name="model">
    /// The transformer: of a pipeline, <c>LastTransformer</c>. Classifiers, regressions and embedders are exported; models that write text
    /// are not.
    /// </param>
    /// <param name="path">Path of the file, which is replaced as a whole.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <remarks>
    /// The graph reads what the model reads, not what the pipeline reads: <c>Features</c>, the vector of a table; <c>Pixels</c>, an image
    /// of the model's size; <c>input_ids</c> and <c>attention_mask</c>, texts as ids of the model's tokenizer. It gives <c>Score</c> (and
    /// <c>Probability</c> or <c>Spread</c>), or <c>Embedding</c>. Shapes are in docs/onnx.md.
    /// </remarks>
    /// <exception cref="NotSupportedException">
    /// ONNX cannot express the model, or this export does not know a part of it, or <see cref="OnnxOptions.ExternalData"/> is false and one
    /// file does not hold the weights; the message says which, and what to do. Nothing is written.
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
                throw Unsupported.Because($"{model.GetType().Name} reads rows that are not known to the export");
        }
    }

    /// <summary>
    /// What an exported model of texts reads of some: ids of the model's own tokenizer with its special tokens and the model's prompt, or
    /// rows of the table of hashed words, cut as the model cuts them and filled to the length of the longest. For programs that run the
    /// file beside this library, and to try others that tokenise by themselves.
    /// </summary>
    /// <param name="model">A text classifier or a text embedder.</param>
    /// <param name="texts">The texts.</param>
    /// <param name="secondTexts">As many second texts, of a model that reads pairs; else null.</param>
    /// <returns>
    /// One for each input of the graph; the last two, of a model with a linear branch, are for a graph that reads them
    /// (<see cref="OnnxLinearBranch.AsInput"/>).
    /// </returns>
    /// <exception cref="ArgumentException">
    /// There are second texts and the model reads none, or the other way round, or not as many.
    /// </exception>
    /// <exception cref="NotSupportedException">
    /// The model reads no texts, or writes some, or a text is longer than a graph of it can read.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public static IReadOnlyList<OnnxInput> EncodeForOnnx(
        this MoeTransformer model, IReadOnlyList<string> texts, IReadOnlyList<string>? secondTexts = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(texts);
        using var hold = model.Hold();
        var isPair = model is MoeTextClassificationTransformer { ReadsPairs: true };
        if (isPair != secondTexts is not null || (secondTexts is not null && secondTexts.Count != texts.Count))
        {
            throw new ArgumentException(
                isPair ? "The model reads pairs: give as many second texts." : "The model reads one text of each row.",
                nameof(secondTexts));
        }

        var (input, encoded) = model switch
        {
            MoeTextEmbeddingTransformer embedding => (InputOf(model), texts.Select(embedding.Embedder.Encode)),
            MoeTextClassificationTransformer when InputOf(model) is var own =>
                (own, texts.Select((text, i) => own.Encode(text, secondTexts?[i]))),
            _ => throw Unsupported.Because(
                $"{model.GetType().Name} is no text classifier and no embedder", "Give its file what docs/onnx.md says"),
        };
        var network = ((FittedModel<EncodedText>)model.Model).Network;
        List<EncodedText> rows = [.. encoded];
        var longest = TextGraphInputs.Longest(input.MaximumTokens, network.Config.Encoder);
        if (rows.FindIndex(row => row.Length > longest * (row.Ids is { SecondWindow: > 0 } ? 2 : 1)) is >= 0 and var text)
        {
            throw new NotSupportedException(
                $"Text {text} has {rows[text].Length} tokens, and the exported model reads {longest} tokens at most. Train or load it with "
                + $"MaximumTokens = {longest}, which cuts texts off.");
        }

        var filled = new EncodedTexts(rows);
        var inputs = filled.For(input, OnnxExport.HasTypes(network, isPair));
        return network.Branch is LinearBranch branch ? [.. inputs, .. filled.For(branch)] : inputs;
    }

    private static TextInput InputOf(MoeTransformer model) => (TextInput)((FittedModel<EncodedText>)model.Model).Network.Input;
}
