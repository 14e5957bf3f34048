using System.Text.Json;
using Microsoft.ML.Moe.Conformance;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Plans, weights and losses are those of an independent program, on any engine.</summary>
public abstract class GoldenRoutingTests
{
    private const double Tolerance = 1e-6;

    public static TheoryData<string> Cases { get; } = new(Goldens.Cases("routing"));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheIndependentProgram(string name)
    {
        var path = Goldens.Path(name);
        using var file = JsonDocument.Parse(File.ReadAllText(path));
        var expected = file.RootElement.GetProperty("expected").Deserialize<RoutingResult>(JsonSerializerOptions.Web)!;

        using var engine = CreateEngine();
        var actual = RoutingCase.Read(path).Run(engine);

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
