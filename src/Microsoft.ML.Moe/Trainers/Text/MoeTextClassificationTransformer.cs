using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores text with a classifier that <see cref="MoeTextClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeTextClassificationTransformer : MoeClassificationTransformer, ISavedTransformer<MoeTextClassificationTransformer>
{
    private readonly SavedModel<TextClassificationColumns> _saved;

    internal MoeTextClassificationTransformer(SavedModel<TextClassificationColumns> saved)
        : base(saved.Columns, saved.Model, saved.Labels) => _saved = saved;

    static ModelRegistration ISavedTransformer<MoeTextClassificationTransformer>.Kind { get; } = new(
        SavedTextClassifier.Kind,
        ModelRegistration.TextClassifierLoader,
        (folder, transformer) => ModelZip.Write(folder, ((MoeTextClassificationTransformer)transformer)._saved));

    /// <summary>Whether rows are pairs of texts.</summary>
    internal bool ReadsPairs => _saved.Columns.Sentence2 is not null;

    /// <summary>The tokenizer that text goes through, if any.</summary>
    internal TextTokenizer? Tokenizer => _saved.Tokenizer;

    internal override ModelRegistration Registration => KindOf<MoeTextClassificationTransformer>();

    /// <inheritdoc/>
    public override MoeTextClassificationTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return With(_saved.Columns, hold => Model.WithRouting(router, hold));
    }

    /// <inheritdoc/>
    public override MoeTextClassificationTransformer WithPrecision(InferencePrecision precision) =>
        With(_saved.Columns, hold => Model.WithPrecision(precision, hold));

    /// <inheritdoc/>
    public override MoeTextClassificationTransformer WithRouterEntropy(
        string? entropyColumnName = "RouterEntropy",
        string? uncertainColumnName = "Uncertain",
        double threshold = RoutingReportOptions.DefaultUncertainThreshold) =>
        With(WithUncertainty<TextClassificationColumns>(entropyColumnName, uncertainColumnName, threshold), Model.Again);

    /// <summary>
    /// Writes the published encoder that the classifier began with, as it was trained, as a folder that Hugging Face's transformers load:
    /// <c>config.json</c>, <c>model.safetensors</c> and the tokenizer's files. What reads the classes off it, and the linear branch, are this
    /// library's own and are left out: the model zip has them.
    /// </summary>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="weights">What the weights are in the file; bfloat16 halves it and rounds. Default 32-bit floats.</param>
    /// <exception cref="InvalidOperationException">
    /// There is no published encoder in the model, or it was made a mixture, which those libraries have no form for.
    /// </exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public void SaveHuggingFace(string folder, ElementType weights = ElementType.Float32)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        OptionCheck.Saved(weights, nameof(weights));
        using var hold = Hold();
        if (_saved.EncoderConfig is not { } config || Tokenizer?.OfModel is not PublishedTokenizer tokenizer || Model.Config.Encoder is not PublishedConfig encoder)
            throw new InvalidOperationException("There is no published encoder in the model: train it with one, or save it as a zip.");
        SentenceFolderWriter.WriteEncoder(
            folder, new EncoderFiles(config, tokenizer), encoder, Model.Parameters, weights, Model.Config.BaseModel);
    }

    static MoeTextClassificationTransformer ISavedTransformer<MoeTextClassificationTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<TextClassificationColumns, EncodedText, MoeTextClassificationTransformer>(
            folder,
            (config, weights, engine, tokenizer) => ModelFiles.LoadText(config, weights, engine, tokenizer?.OfModel),
            (columns, model) => new TextRows(columns.Sentence1, columns.Sentence2, (TextInput)model.Input),
            saved => new MoeTextClassificationTransformer(saved));

    private MoeTextClassificationTransformer With(TextClassificationColumns columns, Func<IDisposable, FittedModel> change) =>
        Share(hold => new MoeTextClassificationTransformer(_saved with { Columns = columns, Model = change(hold) }));
}
