using System.IO.Compression;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>The entries of a model zip, several open at a time: each is buffered until it is closed.</summary>
internal sealed class RepositoryWriter : IDisposable
{
    private readonly ZipArchive _archive;
    private readonly HashSet<string> _names = [];

    private RepositoryWriter(Stream stream) => _archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);

    public static RepositoryWriter CreateNew(Stream stream, IExceptionContext ectx = null, bool useFileSystem = true) => new(stream);

    internal void Write(string dir, string name, Action<Stream> action)
    {
        var path = RepositoryReader.PathOf(dir, name);
        if (!_names.Add(path))
            throw Contracts.ExceptParam(nameof(name), $"Duplicate entry: '{path}'");
        using var buffer = new MemoryStream();
        action(buffer);
        using var entry = _archive.CreateEntry(path).Open();
        buffer.Position = 0;
        buffer.CopyTo(entry);
    }

    public void Commit() => _archive.Dispose();

    void IDisposable.Dispose() => _archive.Dispose();
}

internal sealed class RepositoryReader : IDisposable
{
    private readonly ZipArchive _archive;
    private readonly Dictionary<string, ZipArchiveEntry> _entries = [];

    private RepositoryReader(Stream stream)
    {
        try
        {
            _archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            foreach (var entry in _archive.Entries)
                _entries[entry.FullName.Replace('\\', '/')] = entry;
        }
        catch (Exception ex) when (ex is InvalidDataException or IOException or ArgumentException)
        {
            throw new FormatException("Failed to open a zip archive", ex);
        }
    }

    public static RepositoryReader Open(Stream stream, IExceptionContext ectx = null, bool useFileSystem = true) => new(stream);

    internal static string PathOf(string dir, string name)
    {
        var isName = !string.IsNullOrWhiteSpace(name) && !name.Contains("..", StringComparison.Ordinal);
        Contracts.CheckParam(isName, nameof(name), $"Bad entry name '{name}'.");
        return string.IsNullOrEmpty(dir) ? name : $"{dir}/{name}";
    }

    /// <summary>The whole entry, read as far as the archive really goes and not as far as its header says.</summary>
    internal MemoryStream OpenOrNull(string dir, string name)
    {
        if (!_entries.TryGetValue(PathOf(dir, name), out var entry))
            return null;
        var buffer = new MemoryStream();
        using (var stream = entry.Open())
            stream.CopyTo(buffer);
        if (buffer.Length != entry.Length)
            throw new InvalidDataException($"The entry '{entry.FullName}' has {buffer.Length} bytes, not {entry.Length}.");
        buffer.Position = 0;
        return buffer;
    }

    void IDisposable.Dispose() => _archive.Dispose();
}
