using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// Training with a global workspace (GW-MoE, arXiv 2406.12375) gives what the paper's equation gives, and, where it is asked for, what the
/// released code gives, on any engine: outputs, losses and gradients of a whole encoder–decoder.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenGlobalWorkspaceTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("papers").Where(IsSwitch).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithThePapersCode(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of GW-MoE: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "papers", name);
        using var golden = GoldenModel.Open(path);
        using var weights = TensorFiles.Open(path);
        using var engine = CreateEngine();
        var model = new GoldenGlobalWorkspace(PublishedFolder.Open(path), weights, engine);
        Assert.NotEmpty(golden.Cases);
        Assert.All(golden.Cases, model.Compare);
    }

    private static bool IsSwitch(string folder) => File.Exists(Path.Combine(folder, "config.json"))
        && PublishedFolder.ReadConfig(Path.Combine(folder, "config.json")).Text("model_type", "") == "switch_transformers"
        && File.Exists(Path.Combine(folder, "expected.safetensors"));
}
