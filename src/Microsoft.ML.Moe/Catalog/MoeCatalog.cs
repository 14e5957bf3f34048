using Microsoft.ML.Moe;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML;

/// <summary>Extension methods of <see cref="MulticlassClassificationCatalog"/> that create Mixture-of-Experts trainers.</summary>
public static class MoeCatalog
{
    /// <summary>
    /// Create a <see cref="MoeTextClassificationTrainer"/>, which classifies text with a mixture-of-experts transformer. Takes the
    /// parameters of ML.NET's own <c>TextClassification</c>, in its order.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="labelColumnName">Column of the label, a key of any type.</param>
    /// <param name="scoreColumnName">Column that receives the probabilities of the labels.</param>
    /// <param name="outputColumnName">Column that receives the most probable label, a key.</param>
    /// <param name="sentence1ColumnName">Column of the text.</param>
    /// <param name="sentence2ColumnName">Column of the second text; only for pairs of texts.</param>
    /// <param name="batchSize">Rows for each step of training.</param>
    /// <param name="maxEpochs">Largest number of passes over the training set; null chooses by the number of rows.</param>
    /// <param name="validationSet">Rows by which the best epoch is chosen.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
    ///     .Append(mlContext.MulticlassClassification.Trainers.MoeTextClassifier(sentence1ColumnName: "Text"))
    ///     .Append(mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
    /// ]]></code>
    /// </example>
    public static MoeTextClassificationTrainer MoeTextClassifier(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        string labelColumnName = "Label",
        string scoreColumnName = "Score",
        string outputColumnName = "PredictedLabel",
        string sentence1ColumnName = "Sentence1",
        string? sentence2ColumnName = null,
        int batchSize = 64,
        int? maxEpochs = null,
        IDataView? validationSet = null) =>
        catalog.MoeTextClassifier(new MoeTextClassificationTrainer.Options
        {
            LabelColumnName = labelColumnName,
            ScoreColumnName = scoreColumnName,
            PredictedLabelColumnName = outputColumnName,
            Sentence1ColumnName = sentence1ColumnName,
            Sentence2ColumnName = sentence2ColumnName,
            BatchSize = batchSize,
            MaxEpochs = maxEpochs,
            ValidationSet = validationSet,
        });

    /// <summary>
    /// Create a <see cref="MoeTextClassificationTrainer"/>, which classifies text with a mixture-of-experts transformer, with
    /// <see cref="MoeTextClassificationTrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="options">Columns, input, architecture and training; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var trainer = mlContext.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
    /// {
    ///     Sentence1ColumnName = "Text",
    ///     Experts = 8,
    ///     ValidationShare = 0.1f,
    ///     EarlyStoppingPatience = 3,
    ///     EpochCompleted = report => Console.WriteLine($"{report.Epoch}: {report.ValidationAccuracy:P1}"),
    /// });
    /// ]]></code>
    /// </example>
    public static MoeTextClassificationTrainer MoeTextClassifier(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        MoeTextClassificationTrainer.Options options) =>
        new(Environments.Of(catalog), options);

    /// <summary>
    /// Create a <see cref="MoeImageClassificationTrainer"/>, which classifies images with a mixture-of-experts vision transformer. Takes
    /// the parameters of ML.NET's own <c>ImageClassification</c>, in its order.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="labelColumnName">Column of the label, a key of any type.</param>
    /// <param name="featureColumnName">Column of the image: an image file's bytes, or pixels.</param>
    /// <param name="scoreColumnName">Column that receives the probabilities of the labels.</param>
    /// <param name="predictedLabelColumnName">Column that receives the most probable label, a key.</param>
    /// <param name="validationSet">Rows by which the best epoch is chosen.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
    ///     .Append(mlContext.Transforms.LoadRawImageBytes("Image", imageFolder: "photos", inputColumnName: "ImagePath"))
    ///     .Append(mlContext.MulticlassClassification.Trainers.MoeImageClassifier(featureColumnName: "Image"))
    ///     .Append(mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
    /// ]]></code>
    /// </example>
    public static MoeImageClassificationTrainer MoeImageClassifier(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string scoreColumnName = "Score",
        string predictedLabelColumnName = "PredictedLabel",
        IDataView? validationSet = null) =>
        catalog.MoeImageClassifier(new MoeImageClassificationTrainer.Options
        {
            LabelColumnName = labelColumnName,
            FeatureColumnName = featureColumnName,
            ScoreColumnName = scoreColumnName,
            PredictedLabelColumnName = predictedLabelColumnName,
            ValidationSet = validationSet,
        });

    /// <summary>
    /// Create a <see cref="MoeImageClassificationTrainer"/>, which classifies images with a mixture-of-experts vision transformer, with
    /// <see cref="MoeImageClassificationTrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="options">Columns, input, architecture and training; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var trainer = mlContext.MulticlassClassification.Trainers.MoeImageClassifier(new MoeImageClassificationTrainer.Options
    /// {
    ///     FeatureColumnName = "Image",
    ///     HorizontalFlip = true,
    ///     ValidationShare = 0.1f,
    ///     EpochCompleted = report => Console.WriteLine($"{report.Epoch}: {report.ValidationAccuracy:P1}"),
    /// });
    /// ]]></code>
    /// </example>
    public static MoeImageClassificationTrainer MoeImageClassifier(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        MoeImageClassificationTrainer.Options options) =>
        new(Environments.Of(catalog), options);

    /// <summary>
    /// Create a <see cref="MoeTextToTextClassificationTrainer"/>, which fine-tunes a published model that writes text to tell classes by
    /// what it would write.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="model">The model's folder, or its name on the hub.</param>
    /// <param name="labelColumnName">Column of the label, a key of any type.</param>
    /// <param name="textColumnName">Column of the text.</param>
    /// <param name="scoreColumnName">Column that receives the probabilities of the labels.</param>
    /// <param name="predictedLabelColumnName">Column that receives the most probable label, a key.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
    ///     .Append(mlContext.MulticlassClassification.Trainers.MoeTextToText(PublishedModel.FromFolder("models/switch-base-8")))
    ///     .Append(mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
    /// ]]></code>
    /// </example>
    public static MoeTextToTextClassificationTrainer MoeTextToText(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        PublishedModel model,
        string labelColumnName = "Label",
        string textColumnName = "Text",
        string scoreColumnName = "Score",
        string predictedLabelColumnName = "PredictedLabel") =>
        catalog.MoeTextToText(new MoeTextToTextClassificationTrainer.Options
        {
            Model = model,
            LabelColumnName = labelColumnName,
            TextColumnName = textColumnName,
            ScoreColumnName = scoreColumnName,
            PredictedLabelColumnName = predictedLabelColumnName,
        });

    /// <summary>
    /// Create a <see cref="MoeTextToTextClassificationTrainer"/>, which fine-tunes a published model that writes text to tell classes by
    /// what it would write, with <see cref="MoeTextToTextClassificationTrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="options">Columns, classes, model and training; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    public static MoeTextToTextClassificationTrainer MoeTextToText(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        MoeTextToTextClassificationTrainer.Options options) =>
        new(Environments.Of(catalog), options);

    /// <summary>
    /// Create a <see cref="MoeFeatureClassificationTrainer"/>, which classifies rows of features with a mixture of experts. Takes the parameters of
    /// ML.NET's own trainers, in their order.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="labelColumnName">Column of the label, a key of any type.</param>
    /// <param name="featureColumnName">Column of the features, a vector of single-precision numbers.</param>
    /// <param name="exampleWeightColumnName">Column of the rows' weights; null weights all alike.</param>
    /// <param name="validationSet">Rows by which the best epoch is chosen; null holds out a tenth of the training rows.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
    ///     .Append(mlContext.Transforms.Categorical.OneHotEncoding("Colour"))
    ///     .Append(mlContext.Transforms.Concatenate("Features", "Colour", "Length", "Width"))
    ///     .Append(mlContext.MulticlassClassification.Trainers.MoeClassifier())
    ///     .Append(mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
    /// ]]></code>
    /// </example>
    public static MoeFeatureClassificationTrainer MoeClassifier(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IDataView? validationSet = null) =>
        catalog.MoeClassifier(new MoeFeatureClassificationTrainer.Options
        {
            LabelColumnName = labelColumnName,
            FeatureColumnName = featureColumnName,
            ExampleWeightColumnName = exampleWeightColumnName,
            ValidationSet = validationSet,
        });

    /// <summary>
    /// Create a <see cref="MoeFeatureClassificationTrainer"/>, which classifies rows of features with a mixture of experts, with
    /// <see cref="MoeFeatureClassificationTrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="options">Columns, architecture and training; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    public static MoeFeatureClassificationTrainer MoeClassifier(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        MoeFeatureClassificationTrainer.Options options) =>
        new(Environments.Of(catalog), options);
}
