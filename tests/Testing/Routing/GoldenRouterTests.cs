using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>
/// What routers choose, their weights, losses and gradients are those of other programs, on any engine: every file of the goldens' folder
/// <c>routing2</c>.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenRouterTests
{
    private const string None = "";

    public static TheoryData<string> Cases
    {
        get
        {
            var paths = Goldens.JsonFiles("routing2").Where(path => Path.GetFileName(path) != "index.json").ToList();
            return [.. paths.Count == 0 ? [None] : paths];
        }
    }

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheOriginal(string path)
    {
        Skip.If(path == None, "There are no goldens of routers: see MLNETMOE_GOLDENS.");
        using var engine = CreateEngine();
        var file = GoldenRouterFile.Read(path);
        if (file.Has("X"))
            GoldenSoftMixture.Check(engine, file);
        else if (file.Has("steps"))
            GoldenRouterSteps.Check(engine, file);
        else if (file.Has("policy"))
            GoldenRouterPairs.Check(engine, file);
        else
            GoldenRouterLosses.Check(engine, file);
    }
}
