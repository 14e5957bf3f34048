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

    /// <summary>The folder that the environment names, else that beside the repository; null where there is neither.</summary>
    public static string? Root { get; } = Folder ?? SharedFolder.Find("goldens");

    /// <summary>Paths of the subfolders of a kind that have an <c>expected.json</c>.</summary>
    /// <param name="kind">Name of the folder within <see cref="Root"/>.</param>
    public static IEnumerable<string> Folders(string kind) =>
        Root is null || !Directory.Exists(System.IO.Path.Combine(Root, kind))
            ? []
            : Directory.GetDirectories(System.IO.Path.Combine(Root, kind))
                .Where(folder => File.Exists(System.IO.Path.Combine(folder, "expected.json")))
                .Order();

    /// <summary>Paths of the files of a kind.</summary>
    /// <param name="kind">Name of the folder within <see cref="Root"/>.</param>
    public static IEnumerable<string> JsonFiles(string kind) => Root is null ? [] : Files(System.IO.Path.Combine(Root, kind));

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
