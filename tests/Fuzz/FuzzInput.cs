namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>A file that a reader is given.</summary>
internal sealed record FuzzFile(string Name, byte[] Content);

/// <summary>What a reader is given: a file, or several that belong together.</summary>
internal sealed record FuzzInput(params IReadOnlyList<FuzzFile> Files)
{
    /// <summary>Bytes of all files.</summary>
    public long Length => Files.Sum(f => (long)f.Content.Length);

    /// <summary>The only file.</summary>
    public byte[] Single => Files.Count == 1 ? Files[0].Content : throw new InvalidOperationException($"There are {Files.Count} files.");

    /// <summary>Contents by name.</summary>
    public Dictionary<string, byte[]> ToDictionary() => Files.ToDictionary(f => f.Name, f => f.Content);

    /// <summary>The same, with another content of one file.</summary>
    public FuzzInput With(FuzzFile file, byte[] content) =>
        new([.. Files.Select(f => ReferenceEquals(f, file) ? f with { Content = content } : f)]);

    /// <summary>Writes the files.</summary>
    /// <param name="folder">Where; made if it is not there.</param>
    /// <param name="keepsPaths">Whether a name with slashes is a file in folders; else it is one file.</param>
    public void WriteTo(string folder, bool keepsPaths = false)
    {
        foreach (var (name, content) in Files)
        {
            var path = Path.Combine(folder, keepsPaths ? name : Uri.EscapeDataString(name));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, content);
        }
    }

    /// <summary>Reads the files that <see cref="WriteTo"/> has written.</summary>
    public static FuzzInput ReadFrom(string folder) => new(
        [.. Directory.GetFiles(folder)
            .Order(StringComparer.Ordinal)
            .Select(f => new FuzzFile(Uri.UnescapeDataString(Path.GetFileName(f)), File.ReadAllBytes(f)))]);

    /// <summary>The files of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="names">Those that are wanted; null for all.</param>
    public static FuzzInput OfFolder(string folder, params string[]? names) => new(
        [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
            .Select(f => (Path: f, Name: Path.GetRelativePath(folder, f).Replace('\\', '/')))
            .Where(f => names is null or [] || names.Contains(f.Name))
            .OrderBy(f => f.Name, StringComparer.Ordinal)
            .Select(f => new FuzzFile(f.Name, File.ReadAllBytes(f.Path)))]);
}
