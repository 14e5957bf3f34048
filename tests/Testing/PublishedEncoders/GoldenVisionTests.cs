using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoders of images compute what the library that they come from computes, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenVisionTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("models").Where(IsVision).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheOriginal(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of encoders of images: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        var folder = PublishedFolder.Open(path);
        using var golden = GoldenModel.Open(path);
        using var weights = TensorFiles.Open(path);
        using var engine = CreateEngine();
        Assert.All(golden.Cases, test => new GoldenVision(folder, engine).Compare(test, weights));
    }

    /// <summary>Whether a folder has such an encoder, and cases of it alone: not of pictures.</summary>
    private static bool IsVision(string folder) =>
        PublishedArchitectures.KnowsVision(PublishedFolder.ReadConfig(Path.Combine(folder, "config.json")).Text("model_type", ""))
        && !File.ReadAllText(Path.Combine(folder, "expected.json")).Contains("\"processors\"", StringComparison.Ordinal);
}
