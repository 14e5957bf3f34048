using System.Text.Json;
using Microsoft.ML.Moe.Conformance;

namespace Microsoft.ML.Moe.Tests.Routing;

public class GoldenRoutingTests
{
    private const double Tolerance = 1e-6;

    public static TheoryData<string> Cases { get; } = new(
        SharedFolder.Find("goldens/routing") is { } folder
            ? Directory.GetFiles(folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order()
            : [""]);

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheIndependentProgram(string name)
    {
        Skip.If(name.Length == 0, "shared/goldens/routing is not beside the repository.");
        var path = Path.Combine(SharedFolder.Find("goldens/routing")!, name + ".json");
        using var file = JsonDocument.Parse(File.ReadAllText(path));
        var expected = file.RootElement.GetProperty("expected").Deserialize<RoutingResult>(JsonSerializerOptions.Web)!;

        var actual = RoutingCase.Read(path).Run();

        Assert.Equal(expected.Pairs.Select(p => (p[0], p[1], p[2])), actual.Pairs.Select(p => (p[0], p[1], p[2])));
        Assert.All(expected.Pairs.Zip(actual.Pairs), p => Assert.Equal(p.First[3], p.Second[3], Tolerance));
        Assert.Equal(expected.Broadcast, actual.Broadcast);
        Assert.All(
            expected.Entropy.SelectMany(r => r).Zip(actual.Entropy.SelectMany(r => r)),
            h => Assert.Equal(h.First, h.Second, Tolerance));
        Assert.Equal(expected.LoadBalanceLoss, actual.LoadBalanceLoss, Tolerance);
        Assert.Equal(expected.ZLoss, actual.ZLoss, Tolerance * expected.ZLoss);
    }
}
