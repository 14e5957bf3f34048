using Microsoft.ML;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(
    typeof(Microsoft.ML.Moe.MoeTextEncoderTransformer),
    typeof(TextEncoderModel),
    null,
    typeof(SignatureLoadModel),
    "MoE Text Encoder",
    TextEncoderModel.LoaderSignature)]

namespace Microsoft.ML.Moe.MlNet;

/// <summary>The transformer's folder in the model zip.</summary>
internal static class TextEncoderModel
{
    /// <summary>Name under which ML.NET finds <see cref="Create"/>; 24 characters at most.</summary>
    public const string LoaderSignature = "MoeTextEncoder";

    private const uint Version = 0x00010001; // first form

    /// <summary>Writes the folder.</summary>
    public static void Save(ModelSaveContext context, MoeTextEncoderTransformer transformer, PretrainedTextEncoder encoder)
    {
        var folder = new ModelFolderWriter(context, VersionInfo());
        TextEncoderEntries.Write(folder, transformer, encoder);
        folder.Finish();
    }

    /// <summary>Reads the folder. Called by ML.NET, which finds it by its name and parameters.</summary>
    internal static MoeTextEncoderTransformer Create(IHostEnvironment env, ModelLoadContext ctx) =>
        ModelLoading.Read(env, ctx, VersionInfo(), TextEncoderEntries.Read);

    private static VersionInfo VersionInfo() => new(
        modelSignature: "MOETXTEN",
        verWrittenCur: Version,
        verReadableCur: Version,
        verWeCanReadBack: Version,
        loaderAssemblyName: typeof(TextEncoderModel).Assembly.FullName,
        loaderSignature: LoaderSignature);
}
