namespace Samples;

/// <summary>The XML documentation files that every .NET SDK carries in its reference packs.</summary>
internal static class ReferencePacks
{
    // Packs that come with every SDK on every system, so that the data is the same everywhere.
    private static readonly string[] Packs = ["Microsoft.NETCore.App.Ref", "Microsoft.AspNetCore.App.Ref"];

    /// <summary>Documentation files of the newest version of each pack, ordered by name; a file that is in both packs once.</summary>
    /// <exception cref="InvalidOperationException">There is no SDK, or it comes without documentation.</exception>
    public static IReadOnlyList<string> DocumentationFiles()
    {
        var roots = DotnetRoots().Where(Directory.Exists).Distinct().ToList();
        foreach (var root in roots)
        {
            var files = DocumentationFiles(root);
            if (files.Count > 0)
                return files;
        }
        var where = roots.Count == 0 ? "no dotnet folder found" : "looked in " + string.Join(", ", roots);
        throw new InvalidOperationException($"No reference packs with documentation ({where}). Install a .NET SDK.");
    }

    /// <summary>As above, below one dotnet folder; empty when there are none.</summary>
    internal static IReadOnlyList<string> DocumentationFiles(string root)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var pack in Packs)
        {
            var folder = new DirectoryInfo(Path.Combine(root, "packs", pack));
            if (!folder.Exists)
                continue;
            var newest = folder.GetDirectories().MaxBy(version => VersionKey(version.Name));
            var frameworks = new DirectoryInfo(Path.Combine(newest?.FullName ?? folder.FullName, "ref"));
            var framework = frameworks.Exists ? frameworks.GetDirectories().MaxBy(f => VersionKey(f.Name)) : null;
            foreach (var file in framework?.GetFiles("*.xml") ?? [])
                files.TryAdd(file.Name, file.FullName);
        }
        return [.. files.Values];
    }

    private static IEnumerable<string> DotnetRoots()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root)
            yield return root;
        // <root>/shared/Microsoft.NETCore.App/<version>/System.Private.CoreLib.dll, unless published as a single file.
        if (typeof(object).Assembly.Location is { Length: > 0 } library)
            yield return Path.GetFullPath(Path.Combine(library, "..", "..", "..", ".."));
        if (Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet")
            yield return Folder(host);
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator))
        {
            if (File.Exists(Path.Combine(folder, name)))
                yield return Folder(Path.Combine(folder, name));
        }
    }

    // The folder of an executable that may be a link, as /usr/bin/dotnet often is.
    private static string Folder(string executable)
    {
        var target = File.ResolveLinkTarget(executable, returnFinalTarget: true)?.FullName ?? executable;
        return Path.GetDirectoryName(Path.GetFullPath(target))!;
    }

    // "10.0.12" → (10.0.12, 1), "10.0.0-rc.1" → (10.0.0, 0), "net10.0" → (10.0, 1).
    private static (Version Version, int IsRelease) VersionKey(string folder)
    {
        var number = folder.StartsWith("net", StringComparison.Ordinal) ? folder[3..] : folder;
        var dash = number.IndexOf('-', StringComparison.Ordinal);
        _ = Version.TryParse(dash < 0 ? number : number[..dash], out Version? version);
        return (version ?? new Version(0, 0), dash < 0 ? 1 : 0);
    }
}
