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

    /// <summary>The folder of golden results: that of the environment, else the one that may lie beside the repository, else null.</summary>
    public static string? Root => Folder ?? SharedFolder.Find("goldens");

    /// <summary>Paths of the JSON files of a kind in <see cref="Root"/>.</summary>
    /// <param name="kind">Name of the subfolder.</param>
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
