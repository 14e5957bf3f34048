using System.IO.Compression;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML;

/// <summary>Extension methods of <see cref="ModelOperationsCatalog"/>.</summary>
public static class MoeModelCatalog
{
    /// <summary>
    /// Saves a model as <see cref="ModelOperationsCatalog.Save(ITransformer, DataViewSchema, string)"/> does, but all or nothing: it is
    /// written beside the file, checked, and takes its place only when complete. When saving fails (disk full, …) an older model at
    /// <paramref name="filePath"/> stays as it was, where <c>Save</c> would have emptied it first.
    /// </summary>
    /// <param name="catalog">The catalog: <c>mlContext.Model</c>.</param>
    /// <param name="model">The model.</param>
    /// <param name="inputSchema">Schema of the model's input; may be null.</param>
    /// <param name="filePath">Path of the zip file.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void SaveAtomically(
        this ModelOperationsCatalog catalog, ITransformer model, DataViewSchema? inputSchema, string filePath) =>
        SaveAtomically(catalog, model, inputSchema, filePath, create: null);

    /// <summary>As the public method, with the file's stream opened by the caller.</summary>
    internal static void SaveAtomically(
        ModelOperationsCatalog catalog, ITransformer model, DataViewSchema? inputSchema, string filePath, Func<string, Stream>? create)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(filePath);
        AtomicFile.Write(
            filePath,
            stream =>
            {
                catalog.Save(model, inputSchema, stream);
                CheckComplete(stream, filePath);
            },
            create);
    }

    /// <summary>ML.NET keeps it to itself when the end of the zip, its directory, cannot be written.</summary>
    private static void CheckComplete(Stream stream, string target)
    {
        try
        {
            stream.Position = 0;
            using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            _ = zip.Entries.Count;
        }
        catch (InvalidDataException e)
        {
            throw new IOException($"The model could not be written completely to {target}. Is the disk full?", e);
        }
    }
}
