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

    public static TheoryData<string> BFloat16Folders { get; } = new(
        Goldens.Folders("models").Where(f => IsCausal(f) && IsInBFloat16(f)).Select(f => Path.GetFileName(f)).DefaultIfEmpty(NoFolder));

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
        CompareAll(new GoldenCausal(PublishedFolder.Open(path), weights, engine), cases);
    }

    /// <summary>Weights in bfloat16 that stay as the file has them: the same, with gradients of all that is not frozen.</summary>
    [SkippableTheory]
    [MemberData(nameof(BFloat16Folders))]
    public void AgreesWithTheOriginalWithWeightsAsTheyAreStored(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of causal models in bfloat16: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var weights = TensorFiles.Open(path);
        using var golden = GoldenModel.Open(path);
        using var engine = CreateEngine();
        var model = new GoldenCausal(PublishedFolder.Open(path), weights, engine, WeightPrecision.AsStored);
        CompareAll(model, [.. golden.Cases.Where(test => !IsGenerated(test))]);
    }

    /// <summary>
    /// Each model with its weights rounded to bfloat16: used as they are in the file they give what their copies in single precision give, and
    /// rounded to int8 next to the same loss.
    /// </summary>
    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void WeightsInReducedPrecisionGiveWhatTheirNumbersDo(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of causal models: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        using var golden = GoldenModel.Open(path);
        using var original = TensorFiles.Open(path);
        using var folder = new TemporaryFolder();
        File.Copy(Path.Combine(path, "config.json"), Path.Combine(folder.Path, "config.json"));
        SafeTensorsWriter.WriteFolder(
            folder.Path, [.. original.Tensors.Values.Select(t => new SavedTensor(t.Name, t.Shape, ElementType.BFloat16, () => Read(t)))]);
        using var weights = TensorFiles.Open(folder.Path);
        using var engine = CreateEngine();
        var test = golden.Cases.First(test => !IsGenerated(test));

        var (expected, loss) = Run(WeightPrecision.Float32);
        var (actual, _) = Run(WeightPrecision.AsStored);
        GoldenNumbers.Close(expected, actual, name);
        var (_, lossOfInt8) = Run(WeightPrecision.Int8);
        Assert.InRange(lossOfInt8, 0.98 * loss, 1.02 * loss);

        (float[] Logits, double Loss) Run(WeightPrecision precision) =>
            new GoldenCausal(PublishedFolder.Open(folder.Path), weights, engine, precision).Score(test);

        float[] Read(TensorInfo tensor)
        {
            var values = new float[tensor.Elements];
            original.Read(tensor, 0, values);
            return values;
        }
    }

    private static void CompareAll(GoldenCausal model, GoldenCase[] cases) => Assert.All(cases, test =>
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

    private static bool IsInBFloat16(string folder)
    {
        using var weights = TensorFiles.Open(folder);
        return weights.Tensors.Values.Any(t => t.Type == TensorType.BF16);
    }

    // GoldenGenerationTests compare these
    private static bool IsGenerated(GoldenCase test) =>
        test.Name.StartsWith("gen_", StringComparison.Ordinal) || test.Outputs.Contains("sequences");
}
