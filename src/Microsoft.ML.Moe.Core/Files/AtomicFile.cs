namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Writes files that are complete or not there at all. A file that is replaced keeps who may read and write it, and one behind a link is
/// replaced where it is.
/// </summary>
public static class AtomicFile
{
    /// <summary>What follows a file's name in that of its draft: the same always, so that no draft of a killed process stays for long.</summary>
    public const string DraftSuffix = ".draft";

    /// <summary>Writes beside the file and puts it in its place when complete; when that fails, an older file stays as it was.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="create">Opens the draft for reading and writing; null for a file stream.</param>
    /// <exception cref="IOException">The file cannot be written, or another process is just writing it; the message names it.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is read-only, or its folder is.</exception>
    public static void Write(string path, Action<Stream> write, Func<string, Stream>? create = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        var target = TargetOf(path);
        CheckReplaceable(target);
        var draft = target + DraftSuffix;
        using var stream = Open(draft, target, create);
        try
        {
            KeepAccess(target, stream);
            write(stream);
            stream.Flush();
            (stream as FileStream)?.Flush(flushToDisk: true);

            // while the draft is still open, so that nobody else takes it over in between
            File.Move(draft, target, overwrite: true);
        }
        catch
        {
            Close(stream);
            File.Delete(draft);
            throw;
        }
    }

    /// <summary>Closes a draft that goes: on a full disk what is still in its buffer cannot be written either.</summary>
    private static void Close(Stream draft)
    {
        try
        {
            draft.Dispose();
        }
        catch (IOException)
        {
            // what has failed before is what counts
        }
    }

    /// <summary>Tries whether a file can be written, before there is anything to write; an older one stays as it is.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">It cannot be written; the message names it.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is read-only, or its folder is.</exception>
    public static void Try(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var target = TargetOf(path);
        CheckReplaceable(target);
        Open(target + DraftSuffix, target, create: null).Dispose();
        File.Delete(target + DraftSuffix);
    }

    /// <summary>The file itself, where the path is a link to it.</summary>
    private static string TargetOf(string path)
    {
        var full = Path.GetFullPath(path);
        return new FileInfo(full) is { LinkTarget: not null } link && link.ResolveLinkTarget(returnFinalTarget: true) is { } target
            ? target.FullName
            : full;
    }

    private static void CheckReplaceable(string target)
    {
        if (Directory.Exists(target))
            throw new IOException($"{target} is a folder, not a file.");
        if (Path.GetDirectoryName(target) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{target} cannot be written: there is no folder {folder}.");
        if (File.Exists(target) && File.GetAttributes(target).HasFlag(FileAttributes.ReadOnly))
            throw new UnauthorizedAccessException($"{target} is read-only, and stays as it is.");
    }

    private static Stream Open(string draft, string target, Func<string, Stream>? create)
    {
        try
        {
            DeleteForsaken(draft);
            return create?.Invoke(draft) ?? new FileStream(draft, FileMode.CreateNew, FileAccess.ReadWrite, Alone);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException($"{target} cannot be written: its folder, or {draft}, may not be written to.", e);
        }
        catch (IOException e)
        {
            throw new IOException($"{target} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Deletes a draft that a killed process has left; one that is just being written stays.</summary>
    /// <exception cref="IOException">It is being written.</exception>
    private static void DeleteForsaken(string draft)
    {
        // a link under the draft's name is somebody else's: it goes, what it points to stays
        if (File.Exists(draft) && new FileInfo(draft).LinkTarget is null)
            new FileStream(draft, FileMode.Open, FileAccess.ReadWrite, Alone).Dispose();
        File.Delete(draft);
    }

    /// <summary>Nobody else opens the file meanwhile; Windows has to be told that it may be moved all the same.</summary>
    private static FileShare Alone => OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    /// <summary>Gives the draft the mode of the file that it replaces; on Windows a folder's rules hold for both.</summary>
    private static void KeepAccess(string target, Stream draft)
    {
        if (!OperatingSystem.IsWindows() && draft is FileStream file && File.Exists(target))
            File.SetUnixFileMode(file.SafeFileHandle, File.GetUnixFileMode(target));
    }
}
