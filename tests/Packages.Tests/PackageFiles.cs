using System.IO.Compression;
using System.Reflection;
using System.Xml.Linq;

namespace Microsoft.ML.Moe.Packages.Tests;

/// <summary>The packages that the script has made.</summary>
internal static class PackageFiles
{
    private static readonly string Feed = typeof(PackageFiles).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(metadata => metadata.Key == "PackageFeed").Value!;

    /// <summary>Opens a package.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="extension">nupkg, or snupkg for its symbols.</param>
    public static ZipArchive Open(string id, string extension = "nupkg") => ZipFile.OpenRead(Find(id, extension).Single());

    /// <summary>Paths of a package's files.</summary>
    public static IEnumerable<string> Find(string id, string extension) => Directory.GetFiles(Feed, $"{id}.*.{extension}")
        .Where(path => char.IsAsciiDigit(Path.GetFileName(path)[id.Length + 1]));

    /// <summary>Names of a package's files, in order, without those that every package has.</summary>
    public static IEnumerable<string> Names(ZipArchive package) => package.Entries.Select(entry => entry.FullName)
        .Where(name => !name.EndsWith(".nuspec", StringComparison.Ordinal) && !name.StartsWith("_rels/", StringComparison.Ordinal)
            && !name.StartsWith("package/", StringComparison.Ordinal) && name != "[Content_Types].xml")
        .Order(StringComparer.Ordinal);

    /// <summary>What a package says of itself.</summary>
    public static XElement Metadata(string id)
    {
        using var package = Open(id);
        using var nuspec = package.GetEntry($"{id}.nuspec")!.Open();
        return XDocument.Load(nuspec).Root!.Elements().Single(element => element.Name.LocalName == "metadata");
    }

    /// <summary>One of the metadata's elements.</summary>
    public static string Value(XElement metadata, string name) =>
        metadata.Elements().Single(element => element.Name.LocalName == name).Value;
}
