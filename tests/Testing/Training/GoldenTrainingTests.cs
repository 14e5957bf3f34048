using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Steps of training a published classifier end where the original library's do, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenTrainingTests
{
    private const string None = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("training").Where(IsClassifier).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(None));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void EndsWhereTheOriginalDoes(string name)
    {
        Skip.If(name == None, "There are no goldens of trained classifiers: see MLNETMOE_GOLDENS.");
        using var engine = CreateEngine();
        using var training = GoldenTraining.Open(Path.Combine(Goldens.Root!, "training", name), engine);
        training.Compare();
    }

    private static bool IsClassifier(string folder)
    {
        var config = Path.Combine(folder, "config.json");
        if (!File.Exists(config))
            return false;
        var settings = PublishedFolder.ReadConfig(config);
        return PublishedArchitectures.Knows(settings.Text("model_type", ""))
            && (settings.First("architectures") ?? "").EndsWith("ForSequenceClassification", StringComparison.Ordinal);
    }
}
