using System.Text.Json;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Steps of training a published model end where the original library's do, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenTrainingTests
{
    private const string None = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("training").Where(TrainsWeights).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(None));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void EndsWhereTheOriginalDoes(string name)
    {
        Skip.If(name == None, "There are no goldens of trainings: see MLNETMOE_GOLDENS.");
        var path = Path.Combine(Goldens.Root!, "training", name);
        using (var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "expected.json"))))
        {
            var reason = GoldenTrainingSettings.ReasonToSkip(expected.RootElement);
            Skip.If(reason is not null, reason);
        }

        using var engine = CreateEngine();
        bool hasZerosToo;
        using (var training = GoldenTraining.Open(path, engine))
        {
            training.Compare();
            hasZerosToo = training.HasZerosToo;
        }

        if (!hasZerosToo)
            return;
        using var again = CreateEngine();
        using var withZeros = GoldenTraining.Open(path, again);
        withZeros.Compare(withZeros: true);
    }

    /// <summary>Whether the model's own weights are trained, not adapters of them, and it is one that is known.</summary>
    private static bool TrainsWeights(string folder)
    {
        var config = Path.Combine(folder, "config.json");
        if (!File.Exists(config) || Directory.Exists(Path.Combine(folder, "adapter_initial")))
            return false;
        var settings = PublishedFolder.ReadConfig(config);
        var type = settings.Text("model_type", "");
        return PublishedArchitectures.KnowsCausal(type)
            || PublishedArchitectures.KnowsEncoderDecoder(type)
            || (PublishedArchitectures.Knows(type)
                && (settings.First("architectures") ?? "").EndsWith("ForSequenceClassification", StringComparison.Ordinal));
    }
}
