namespace Microsoft.ML.Moe.Tests;

/// <summary>
/// Golden results, which other programs computed: those of the repository and, where the environment variable <c>MLNETMOE_GOLDENS</c> names
/// a folder, those in it, in subfolders of the same names.
/// </summary>
internal static class Goldens
{
    /// <summary>The folder that the environment names; null without one.</summary>
    public static string? Folder { get; } =
        Environment.GetEnvironmentVariable("MLNETMOE_GOLDENS") is { Length: > 0 } folder ? System.IO.Path.GetFullPath(folder) : null;

    /// <summary>
    /// Where the goldens of published models are: the folder that the environment names, else the one beside the repository; null where
    /// neither is there.
    /// </summary>
    public static string? Root { get; } = Folder ?? SharedFolder.Find("goldens");

    /// <summary>Full paths of the folders of a kind, those that say what is expected.</summary>
    /// <param name="kind">Name of the subfolder.</param>
    public static IEnumerable<string> Folders(string kind) => Root is { } root && Directory.Exists(System.IO.Path.Combine(root, kind))
        ? Directory.GetDirectories(System.IO.Path.Combine(root, kind)).Where(f => File.Exists(System.IO.Path.Combine(f, "expected.json"))).Order()
        : [];

    /// <summary>Full paths of the JSON files of a kind.</summary>
    /// <param name="kind">Name of the subfolder.</param>
    public static IEnumerable<string> JsonFiles(string kind) => Root is { } root ? Files(System.IO.Path.Combine(root, kind)) : [];

    /// <summary>Names of the cases of a kind, for <see cref="Path"/>: of the repository's, relative to the test's assembly.</summary>
    /// <param name="kind">Name of the subfolder.</param>
    public static IEnumerable<string> Cases(string kind)
    {
        var own = Files(System.IO.Path.Combine(AppContext.BaseDirectory, "Goldens", kind))
            .Select(path => System.IO.Path.GetRelativePath(AppContext.BaseDirectory, path));
        return Folder is null ? own : own.Concat(Files(System.IO.Path.Combine(Folder, kind)));
    }

    /// <summary>Path of a case.</summary>
    public static string Path(string name) => System.IO.Path.Combine(AppContext.BaseDirectory, name);

    private static IEnumerable<string> Files(string folder) => Directory.Exists(folder) ? Directory.GetFiles(folder, "*.json").Order() : [];
}
