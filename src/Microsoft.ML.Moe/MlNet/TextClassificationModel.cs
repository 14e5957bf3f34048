using Microsoft.ML;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(
    typeof(Microsoft.ML.Moe.MoeTextClassificationTransformer),
    typeof(TextClassificationModel),
    null,
    typeof(SignatureLoadModel),
    "MoE Text Classification",
    TextClassificationModel.LoaderSignature)]

namespace Microsoft.ML.Moe.MlNet;

/// <summary>The transformer's folder in the model zip.</summary>
internal static class TextClassificationModel
{
    /// <summary>Name under which ML.NET finds <see cref="Create"/>; 24 characters at most.</summary>
    public const string LoaderSignature = "MoeTextClassifier";

    private const uint Version = 0x00010001; // first form

    /// <summary>Writes the folder.</summary>
    public static void Save(ModelSaveContext context, MoeTextClassificationTransformer transformer, Classifier<EncodedText> classifier)
    {
        var folder = new ModelFolderWriter(context, VersionInfo());
        TextClassificationEntries.Write(folder, transformer, classifier);
        folder.Finish();
    }

    /// <summary>Reads the folder. Called by ML.NET, which finds it by its name and parameters.</summary>
    internal static MoeTextClassificationTransformer Create(IHostEnvironment env, ModelLoadContext ctx) =>
        ModelLoading.Read(env, ctx, VersionInfo(), TextClassificationEntries.Read);

    private static VersionInfo VersionInfo() => new(
        modelSignature: "MOETXTCL",
        verWrittenCur: Version,
        verReadableCur: Version,
        verWeCanReadBack: Version,
        loaderAssemblyName: typeof(TextClassificationModel).Assembly.FullName,
        loaderSignature: LoaderSignature);
}
