namespace Microsoft.ML.Moe.Tests;

/// <summary>The folder of data and golden results that may lie beside the repository.</summary>
internal static class SharedFolder
{
    /// <summary>Path of something within it, or null when it is not there.</summary>
    public static string? Find(string relativePath)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
            folder = folder.Parent;
        if (folder?.Parent is null)
            return null;
        var path = Path.Combine(folder.Parent.FullName, "shared", relativePath);
        return Path.Exists(path) ? path : null;
    }
}
