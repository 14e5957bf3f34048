namespace Microsoft.ML.Moe.Packages.Tests;

/// <summary>What is in the packages.</summary>
public sealed class PackageTests
{
    /// <summary>Each package with the packages that it asks for.</summary>
    public static TheoryData<string, string, string[]> Packages => new()
    {
        // the base class of tokenizers
        { "MlNetMoe.Core", "Microsoft.ML.Moe.Core", ["Microsoft.ML.Tokenizers"] },
        { "MlNetMoe.TorchSharp", "Microsoft.ML.Moe.TorchSharp", ["MlNetMoe.Core", "TorchSharp"] },
        {
            "MlNetMoe",
            "Microsoft.ML.Moe",
            [
                "Microsoft.ML", "Microsoft.ML.ImageAnalytics", "Microsoft.ML.Tokenizers", "MlNetMoe.Core", "MlNetMoe.TorchSharp", "SkiaSharp",
                "SkiaSharp.NativeAssets.Linux.NoDependencies",
            ]
        },
        { "MlNetMoe.Mpi", "Microsoft.ML.Moe.Mpi", ["MlNetMoe.Core"] },
        { "MlNetMoe.Cluster", "Microsoft.ML.Moe.Cluster", ["Microsoft.Orleans.Server", "MlNetMoe"] },
        { "MlNetMoe.Extensions.AI", "Microsoft.ML.Moe.Extensions.AI", ["Microsoft.Extensions.AI.Abstractions", "MlNetMoe"] },
        { "MlNetMoe.Onnx", "Microsoft.ML.Moe.Onnx", ["Google.Protobuf", "MlNetMoe"] },
    };

    [Theory]
    [MemberData(nameof(Packages))]
    public void PackageAsksForWhatItNeedsAndNoMore(string id, string assembly, string[] dependencies)
    {
        _ = assembly;
        var metadata = PackageFiles.Metadata(id);
        var version = PackageFiles.Value(metadata, "version");
        var found = metadata.Descendants().Where(element => element.Name.LocalName == "dependency")
            .ToDictionary(element => element.Attribute("id")!.Value, element => element.Attribute("version")!.Value);
        Assert.Equal(dependencies.Order(StringComparer.Ordinal), found.Keys.Order(StringComparer.Ordinal));
        // Our packages use internal members of each other.
        Assert.All(found.Where(pair => pair.Key.StartsWith("MlNetMoe", StringComparison.Ordinal)), pair => Assert.Equal($"[{version}]", pair.Value));
        // The next major version of ML.NET may change what we use of its internals.
        Assert.All(found.Where(pair => pair.Key.StartsWith("Microsoft.ML", StringComparison.Ordinal)), pair => Assert.EndsWith(".0.0)", pair.Value, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public void PackageHoldsOneAssemblyWithItsDocumentation(string id, string assembly, string[] dependencies)
    {
        _ = dependencies;
        using var package = PackageFiles.Open(id);
        Assert.Equal(
            ["README.md", $"lib/net10.0/{assembly}.dll", $"lib/net10.0/{assembly}.xml"],
            PackageFiles.Names(package));
        using var symbols = PackageFiles.Open(id, "snupkg");
        Assert.Contains(symbols.Entries, entry => entry.FullName == $"lib/net10.0/{assembly}.pdb");
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public void PackageSaysWhatItIs(string id, string assembly, string[] dependencies)
    {
        _ = (assembly, dependencies);
        var metadata = PackageFiles.Metadata(id);
        Assert.Equal(id, PackageFiles.Value(metadata, "id"));
        Assert.Equal("MIT", PackageFiles.Value(metadata, "license"));
        Assert.Equal("README.md", PackageFiles.Value(metadata, "readme"));
        Assert.Contains("mixture-of-experts", PackageFiles.Value(metadata, "tags").Split(' '));
        Assert.True(PackageFiles.Value(metadata, "description").Length > 40);
        var repository = metadata.Elements().Single(element => element.Name.LocalName == "repository");
        Assert.Equal("git", repository.Attribute("type")!.Value);
        Assert.Matches("^[0-9a-f]{40}$", repository.Attribute("commit")!.Value);
    }
}
