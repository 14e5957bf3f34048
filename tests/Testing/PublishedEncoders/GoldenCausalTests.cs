using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// Published causal models compute what the libraries that they come from compute, on any engine: states, router logits, scores of the next
/// token, losses and gradients, in one pass and token by token. Where a golden's rows have padding, ours have none.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenCausalTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("models").Where(IsCausal).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheOriginal(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of causal models: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var golden = GoldenModel.Open(path);
        using var weights = TensorFiles.Open(path);
        GoldenCase[] cases = [.. golden.Cases.Where(test => !IsGenerated(test))];
        Assert.NotEmpty(cases);
        using var engine = CreateEngine();
        var model = new GoldenCausal(PublishedFolder.Open(path), weights, engine);
        Assert.All(cases, test =>
        {
            switch (test.Name)
            {
                case "cache":
                    model.CompareCached(test);
                    break;
                case "embedding":
                    model.CompareEmbedding(test);
                    break;
                default:
                    model.Compare(test);
                    break;
            }
        });
    }

    /// <summary>The same configuration as a later version writes it.</summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void ReadsBothFormsOfTheConfiguration(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of causal models: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        var later = Path.Combine(path, "config.v5.json");
        Skip.If(!File.Exists(later), "There is no second form.");
        Assert.Equal(PublishedFolder.Open(path).Encoder, PublishedArchitectures.Read(PublishedFolder.ReadConfig(later)));
    }

    private static bool IsCausal(string folder) => PublishedArchitectures.KnowsCausal(
        PublishedFolder.ReadConfig(Path.Combine(folder, "config.json")).Text("model_type", ""));

    // GoldenGenerationTests compare these
    private static bool IsGenerated(GoldenCase test) =>
        test.Name.StartsWith("gen_", StringComparison.Ordinal) || test.Outputs.Contains("sequences");
}
