using Microsoft.ML;
using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(
    typeof(Microsoft.ML.Moe.MoeImageClassificationTransformer),
    typeof(ImageClassificationModel),
    null,
    typeof(SignatureLoadModel),
    "MoE Image Classification",
    ImageClassificationModel.LoaderSignature)]

namespace Microsoft.ML.Moe.MlNet;

/// <summary>The transformer's folder in the model zip.</summary>
internal static class ImageClassificationModel
{
    /// <summary>Name under which ML.NET finds <see cref="Create"/>; 24 characters at most.</summary>
    public const string LoaderSignature = "MoeImageClassifier";

    private const uint Version = 0x00010001; // first form

    /// <summary>Writes the folder.</summary>
    public static void Save(ModelSaveContext context, MoeImageClassificationTransformer transformer, Classifier<ImagePixels> classifier)
    {
        var folder = new ModelFolderWriter(context, VersionInfo());
        ImageClassificationEntries.Write(folder, transformer, classifier);
        folder.Finish();
    }

    /// <summary>Reads the folder. Called by ML.NET, which finds it by its name and parameters.</summary>
    internal static MoeImageClassificationTransformer Create(IHostEnvironment env, ModelLoadContext ctx) =>
        ModelLoading.Read(env, ctx, VersionInfo(), ImageClassificationEntries.Read);

    private static VersionInfo VersionInfo() => new(
        modelSignature: "MOEIMGCL",
        verWrittenCur: Version,
        verReadableCur: Version,
        verWeCanReadBack: Version,
        loaderAssemblyName: typeof(ImageClassificationModel).Assembly.FullName,
        loaderSignature: LoaderSignature);
}
