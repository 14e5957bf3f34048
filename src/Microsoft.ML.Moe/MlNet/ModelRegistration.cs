using Microsoft.ML;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(
    typeof(MoeTextClassificationTransformer),
    typeof(ModelLoader<MoeTextClassificationTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Text Classification",
    ModelRegistration.TextClassifierLoader)]

[assembly: LoadableClass(
    typeof(MoeImageClassificationTransformer),
    typeof(ModelLoader<MoeImageClassificationTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Image Classification",
    ModelRegistration.ImageClassifierLoader)]

[assembly: LoadableClass(
    typeof(MoeFeatureClassificationTransformer),
    typeof(ModelLoader<MoeFeatureClassificationTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Classification",
    ModelRegistration.ClassifierLoader)]

[assembly: LoadableClass(
    typeof(MoeBinaryClassificationTransformer),
    typeof(ModelLoader<MoeBinaryClassificationTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Binary Classification",
    ModelRegistration.BinaryClassifierLoader)]

[assembly: LoadableClass(
    typeof(MoeRegressionTransformer),
    typeof(ModelLoader<MoeRegressionTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Regression",
    ModelRegistration.RegressionLoader)]

[assembly: LoadableClass(
    typeof(MoeTextEncoderTransformer),
    typeof(ModelLoader<MoeTextEncoderTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Text Encoder",
    ModelRegistration.TextEncoderLoader)]

[assembly: LoadableClass(
    typeof(MoeTextEmbeddingTransformer),
    typeof(ModelLoader<MoeTextEmbeddingTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Text Embedding",
    ModelRegistration.TextEmbeddingLoader)]

[assembly: LoadableClass(
    typeof(MoeTextGenerationTransformer),
    typeof(ModelLoader<MoeTextGenerationTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Text Generation",
    ModelRegistration.TextGenerationLoader)]

[assembly: LoadableClass(
    typeof(MoeTextToTextClassificationTransformer),
    typeof(ModelLoader<MoeTextToTextClassificationTransformer>),
    null,
    typeof(SignatureLoadModel),
    "MoE Text-to-Text Classification",
    ModelRegistration.TextToTextClassifierLoader)]

[assembly: LoadableClass(
    typeof(MoeAverageTransformer),
    typeof(ModelLoader<MoeAverageTransformer>),
    null,
    typeof(SignatureLoadModel),
    "Average of models",
    ModelRegistration.AverageLoader)]

namespace Microsoft.ML.Moe.MlNet;

/// <summary>The name under which ML.NET finds a kind of model, and its folder in the model zip.</summary>
/// <param name="modelSignature">Marks the folder; 8 characters.</param>
/// <param name="loaderSignature">Name under which ML.NET finds the loader; at most 24 characters.</param>
/// <param name="write">Writes the folder's entries.</param>
internal sealed class ModelRegistration(
    string modelSignature, string loaderSignature, Action<ModelFolderWriter, ITransformer> write)
{
    public const string TextClassifierLoader = "MoeTextClassifier";
    public const string ImageClassifierLoader = "MoeImageClassifier";
    public const string ClassifierLoader = "MoeClassifier";
    public const string BinaryClassifierLoader = "MoeBinaryClassifier";
    public const string RegressionLoader = "MoeRegressor";
    public const string TextEncoderLoader = "MoeTextEncoder";
    public const string TextEmbeddingLoader = "MoeTextEmbedding";
    public const string TextGenerationLoader = "MoeTextGeneration";
    public const string TextToTextClassifierLoader = "MoeTextToTextClassifier";
    public const string AverageLoader = "MoeAverage";

    /// <summary>Form of the folder. Config.json has a version of its own.</summary>
    private const uint Version = 0x00010001;

    /// <summary>Writes a model's folder.</summary>
    public void Save(ModelSaveContext context, ITransformer transformer)
    {
        var folder = new ModelFolderWriter(context, VersionInfo());
        write(folder, transformer);
        folder.Finish();
    }

    /// <summary>Reads a model's folder.</summary>
    public T Load<T>(IHostEnvironment environment, ModelLoadContext context, Func<ModelFolderReader, T> read)
    {
        try
        {
            return Read(new ModelFolderReader(environment, context, VersionInfo()), read);
        }
        catch (Exception e)
        {
            // makes ML.NET report what went wrong as its own errors instead of a TargetInvocationException
            environment.Process(e);
            throw;
        }
    }

    private static T Read<T>(ModelFolderReader folder, Func<ModelFolderReader, T> read)
    {
        try
        {
            return read(folder);
        }
        catch (ArgumentException e)
        {
            // what one part of the model refuses was said by another part of the file
            throw new InvalidDataException("The model file is damaged: its entries do not fit each other.", e);
        }
    }

    private VersionInfo VersionInfo() => new(
        modelSignature: modelSignature,
        verWrittenCur: Version,
        verReadableCur: Version,
        verWeCanReadBack: Version,
        loaderAssemblyName: typeof(ModelRegistration).Assembly.FullName,
        loaderSignature: loaderSignature);
}

/// <summary>A transformer that ML.NET can load.</summary>
/// <typeparam name="TSelf">The transformer.</typeparam>
internal interface ISavedTransformer<TSelf>
{
    /// <summary>Its name and folder.</summary>
    static abstract ModelRegistration Kind { get; }

    /// <summary>Reads the folder's entries.</summary>
    /// <exception cref="InvalidDataException">An entry is missing or damaged; the message names it.</exception>
    static abstract TSelf Read(ModelFolderReader folder);
}

/// <summary>Called by ML.NET, which finds it by its name and parameters.</summary>
internal static class ModelLoader<T>
    where T : ISavedTransformer<T>
{
    internal static T Create(IHostEnvironment env, ModelLoadContext ctx) => T.Kind.Load(env, ctx, T.Read);
}
