using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Adapters beside published models learn, give and are saved as those of the original library, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenAdapterTests
{
    private const string None = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("training").Where(GoldenAdapters.IsThere).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(None));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void LearnAsTheOriginal(string name) => Run(name, adapters => adapters.CompareTraining());

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AreReadMergedAndSavedAsTheOriginal(string name) => Run(name, adapters => adapters.CompareFiles());

    private void Run(string name, Action<GoldenAdapters> compare)
    {
        Skip.If(name == None, "There are no goldens of trained adapters: see MLNETMOE_GOLDENS.");
        using var engine = CreateEngine();
        using var adapters = GoldenAdapters.Open(Path.Combine(Goldens.Root!, "training", name), engine);
        compare(adapters);
    }
}
