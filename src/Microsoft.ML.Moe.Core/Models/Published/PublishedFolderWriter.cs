using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>Writes a folder that <see cref="PublishedFolder"/> opens, and transformers too.</summary>
internal static class PublishedFolderWriter
{
    /// <summary>
    /// Writes <c>config.json</c> as it was but for the type of the weights, these as safetensors, the tokenizer's files, and a page that says
    /// what the model was made from.
    /// </summary>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="files">Configuration and tokenizer.</param>
    /// <param name="tensors">The weights under their published names.</param>
    /// <param name="type">Type of the weights in the file.</param>
    /// <param name="baseModel">What the model was made from; null writes no page.</param>
    /// <param name="library">Which library the page says loads it.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void Write(
        string folder, EncoderFiles files, IReadOnlyList<SavedTensor> tensors, ElementType type, BaseModel? baseModel, string library)
    {
        Directory.CreateDirectory(folder);
        SafeTensorsWriter.WriteFolder(folder, tensors);
        var json = (JsonObject)JsonNode.Parse(files.Config)!;
        json.Remove("torch_dtype");
        json["dtype"] = type == ElementType.BFloat16 ? "bfloat16" : "float32";
        WriteJson(folder, EncoderFiles.ConfigName, json);
        foreach (var (name, contents) in files.Tokenizer.Files)
            AtomicFile.Write(Path.Combine(folder, name), stream => stream.Write(contents));
        if (baseModel is not null)
            WritePage(folder, baseModel, library);
    }

    /// <summary>Writes a JSON file.</summary>
    public static void WriteJson(string folder, string name, JsonNode json) =>
        AtomicFile.Write(Path.Combine(folder, name), stream => JsonText.Write(stream, json));

    private static void WritePage(string folder, BaseModel baseModel, string library) => AtomicFile.Write(Path.Combine(folder, "README.md"), stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        writer.WriteLine("---");
        if (baseModel.License is { } license)
            writer.WriteLine("license: " + license);
        writer.WriteLine("library_name: " + library);
        writer.WriteLine("---");
        writer.WriteLine();
        writer.WriteLine($"Made from {baseModel.Name} with MlNetMoe.");
    });
}
