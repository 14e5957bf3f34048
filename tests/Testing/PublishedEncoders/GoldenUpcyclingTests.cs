using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Mixtures made of dense networks are those that the original programs make, and compute what theirs do, on any engine.</summary>
[Trait("Category", "Goldens")]
public abstract class GoldenUpcyclingTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("upcycling").Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheOriginal(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of upcycling: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "upcycling", name);
        using var golden = GoldenModel.Open(path);
        using var engine = CreateEngine();
        if (File.Exists(Path.Combine(path, "config.json")))
        {
            new GoldenCopies(PublishedFolder.Open(path), engine, golden).Compare();
            return;
        }

        foreach (var test in golden.Json.GetProperty("cases").EnumerateObject())
        {
            if (test.Value.TryGetProperty("granularity", out _))
                new GoldenVirtualGroups(engine, golden, test.Name, test.Value).Compare();
            else if (test.Value.TryGetProperty("shared_intermediate", out _))
                new GoldenSlices(engine, golden, test.Name, test.Value).Compare();
            else if (test.Value.TryGetProperty("replaced_per_matrix", out _))
                new GoldenReinitialization(engine, golden, test.Name, test.Value).Compare();
            else
                Assert.Fail($"{name}: nothing is known of the case {test.Name}.");
        }
    }
}
