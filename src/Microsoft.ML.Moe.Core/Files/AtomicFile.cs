namespace Microsoft.ML.Moe.Files;

/// <summary>Writes files that are complete or not there at all.</summary>
public static class AtomicFile
{
    /// <summary>Writes beside the file and puts it in its place when complete; when that fails, an older file stays as it was.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="create">Opens the draft for reading and writing; null for a file stream.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, Action<Stream> write, Func<string, Stream>? create = null)
    {
        var target = Path.GetFullPath(path);
        var draft = $"{target}.{Path.GetRandomFileName()}.tmp";
        try
        {
            using (var stream = create?.Invoke(draft) ?? new FileStream(draft, FileMode.CreateNew, FileAccess.ReadWrite))
            {
                write(stream);
                (stream as FileStream)?.Flush(flushToDisk: true);
            }

            File.Move(draft, target, overwrite: true);
        }
        catch
        {
            File.Delete(draft);
            throw;
        }
    }
}
