using Microsoft.ML.Moe;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML;

/// <summary>Extension methods of <see cref="TransformsCatalog.TextTransforms"/>.</summary>
public static class MoeTextCatalog
{
    /// <summary>
    /// Create a <see cref="MoeTextPretrainer"/>, which pretrains a mixture-of-experts transformer on text without labels: a start for
    /// classifiers (<see cref="MoeClassifierOptions.InitialModel"/>), and a source of text vectors by itself.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="outputColumnName">Column that receives the text's vector.</param>
    /// <param name="inputColumnName">Column of the text; null takes <paramref name="outputColumnName"/>.</param>
    /// <param name="batchSize">Texts for each step of training.</param>
    /// <param name="maxEpochs">Largest number of passes over the texts; null chooses by the amount of text.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var texts = mlContext.Data.LoadTextLines("Text", "sentences.txt");
    /// var encoder = mlContext.Transforms.Text.PretrainMoeEncoder("Features", "Text").Fit(texts);
    /// mlContext.Model.Save(encoder, texts.Schema, "pretrained.zip");
    /// ]]></code>
    /// </example>
    public static MoeTextPretrainer PretrainMoeEncoder(
        this TransformsCatalog.TextTransforms catalog,
        string outputColumnName,
        string? inputColumnName = null,
        int batchSize = 64,
        int? maxEpochs = null) =>
        catalog.PretrainMoeEncoder(new MoeTextPretrainer.Options
        {
            InputColumnName = inputColumnName ?? outputColumnName,
            OutputColumnName = outputColumnName,
            BatchSize = batchSize,
            MaxEpochs = maxEpochs,
        });

    /// <summary>
    /// Create a <see cref="MoeTextPretrainer"/>, which pretrains a mixture-of-experts transformer on text without labels, with
    /// <see cref="MoeTextPretrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="options">Columns, input, architecture and training; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    public static MoeTextPretrainer PretrainMoeEncoder(
        this TransformsCatalog.TextTransforms catalog, MoeTextPretrainer.Options options) =>
        new(Environments.Of(catalog), options);

    /// <summary>
    /// Create a <see cref="MoeTextEmbeddingEstimator"/>, which turns texts into vectors with a published encoder, as sentence-transformers
    /// does: for K-means, nearest neighbours, search, and any trainer of features.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="outputColumnName">Column that receives the text's vector.</param>
    /// <param name="inputColumnName">Column of the text; null takes <paramref name="outputColumnName"/>.</param>
    /// <param name="encoder">The encoder: of a package, or a folder.</param>
    /// <param name="options">Prompt, pooling and more; null for what the encoder's own files say.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var pipeline = mlContext.Transforms.Text.EmbedText("Features", "Text", PublishedEncoder.MiniLM)
    ///     .Append(mlContext.Clustering.Trainers.KMeans("Features", numberOfClusters: 8));
    /// ]]></code>
    /// </example>
    public static MoeTextEmbeddingEstimator EmbedText(
        this TransformsCatalog.TextTransforms catalog,
        string outputColumnName,
        string? inputColumnName,
        PublishedEncoder encoder,
        EmbedTextOptions? options = null) =>
        new(Environments.Of(catalog), new TextEncoderColumns(inputColumnName ?? outputColumnName, outputColumnName), encoder, options);

    /// <summary>
    /// Create a <see cref="MoeTextGenerationEstimator"/>, which answers texts with a published language model: a causal one continues the
    /// text, an encoder–decoder such as Switch Transformers turns it into another.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="outputColumnName">Column that receives the answer.</param>
    /// <param name="inputColumnName">Column of the prompt; null takes <paramref name="outputColumnName"/>.</param>
    /// <param name="model">The model's folder, or its name on the hub.</param>
    /// <param name="options">How texts are generated, router and more; null for what the model's own files say.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var pipeline = mlContext.Transforms.Text.GenerateText("Answer", "Question", PublishedModel.FromFolder("models/olmoe"),
    ///     new GenerateTextOptions { Generation = new GenerationOptions { MaximumNewTokens = 40 } });
    /// ]]></code>
    /// </example>
    public static MoeTextGenerationEstimator GenerateText(
        this TransformsCatalog.TextTransforms catalog,
        string outputColumnName,
        string? inputColumnName,
        PublishedModel model,
        GenerateTextOptions? options = null) =>
        new(Environments.Of(catalog), inputColumnName ?? outputColumnName, outputColumnName, model, options);

    /// <summary>
    /// Create a <see cref="MoeTextToTextTrainer"/>, which fine-tunes a published encoder–decoder to write one text to another.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="model">The model's folder, or its name on the hub.</param>
    /// <param name="outputColumnName">Column that receives what the model writes.</param>
    /// <param name="sourceColumnName">Column of the text that it reads.</param>
    /// <param name="targetColumnName">Column of the text that it is to write.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var trainer = mlContext.Transforms.Text.MoeTextToText(PublishedModel.FromFolder("models/t5"), "Translation", "English", "German");
    /// ]]></code>
    /// </example>
    public static MoeTextToTextTrainer MoeTextToText(
        this TransformsCatalog.TextTransforms catalog,
        PublishedModel model,
        string outputColumnName = "Prediction",
        string sourceColumnName = "Source",
        string targetColumnName = "Target") => catalog.MoeTextToText(new MoeTextToTextTrainer.Options
        {
            Model = model,
            OutputColumnName = outputColumnName,
            SourceColumnName = sourceColumnName,
            TargetColumnName = targetColumnName,
        });

    /// <summary>
    /// Create a <see cref="MoeTextToTextTrainer"/>, which fine-tunes a published encoder–decoder to write one text to another, with
    /// <see cref="MoeTextToTextTrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="options">Columns, model, training and writing; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    public static MoeTextToTextTrainer MoeTextToText(
        this TransformsCatalog.TextTransforms catalog, MoeTextToTextTrainer.Options options) => new(Environments.Of(catalog), options);

    /// <summary>
    /// Create a <see cref="MoeLanguageModelTrainer"/>, which fine-tunes a published causal language model on completions of prompts.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="model">The model's folder, or its name on the hub.</param>
    /// <param name="outputColumnName">Column that receives what the model writes.</param>
    /// <param name="promptColumnName">Column of the prompt.</param>
    /// <param name="completionColumnName">Column of the text that follows it; null for a table of plain texts.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var trainer = mlContext.Transforms.Text.MoeLanguageModel(PublishedModel.FromFolder("models/olmoe"), "Answer", "Question", "Known");
    /// ]]></code>
    /// </example>
    public static MoeLanguageModelTrainer MoeLanguageModel(
        this TransformsCatalog.TextTransforms catalog,
        PublishedModel model,
        string outputColumnName = "Prediction",
        string promptColumnName = "Prompt",
        string? completionColumnName = "Completion") => catalog.MoeLanguageModel(new MoeLanguageModelTrainer.Options
        {
            Model = model,
            OutputColumnName = outputColumnName,
            PromptColumnName = promptColumnName,
            CompletionColumnName = completionColumnName,
        });

    /// <summary>
    /// Create a <see cref="MoeLanguageModelTrainer"/>, which fine-tunes a published causal language model, with
    /// <see cref="MoeLanguageModelTrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="options">Columns, model, training and writing; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    public static MoeLanguageModelTrainer MoeLanguageModel(
        this TransformsCatalog.TextTransforms catalog, MoeLanguageModelTrainer.Options options) => new(Environments.Of(catalog), options);
}
