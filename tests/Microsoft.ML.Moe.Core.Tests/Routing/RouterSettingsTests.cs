using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

public class RouterSettingsTests
{
    private static readonly SequenceLayout Layout = new([0, 4]);

    [Fact]
    public void WithoutCapacityNothingIsDropped()
    {
        var plan = new RouterSettings(RouterKind.TokenChoice, 1).CreatePolicy().Route(new float[8], 2, Layout, training: false);

        Assert.Equal([0, 1, 2, 3], plan.TokensOf(0));
        Assert.Equal(0, plan.DroppedPairs);
    }

    [Theory]
    [InlineData(CapacityPriority.Position, new[] { 0, 1 })]
    [InlineData(CapacityPriority.Score, new[] { 2, 3 })]
    public void ACapacityFactorLimitsEachExpert(CapacityPriority priority, int[] expected)
    {
        var settings = new RouterSettings(RouterKind.TokenChoice, 1, CapacityFactor: 1, CapacityPriority: priority);

        var plan = settings.CreatePolicy().Route([1, 0, /**/ 2, 0, /**/ 3, 0, /**/ 4, 0], 2, Layout, training: false);

        Assert.Equal(expected, plan.TokensOf(0));
        Assert.Equal(2, plan.DroppedPairs);
    }

    [Theory]
    [InlineData(RouterKind.ExpertChoice)]
    [InlineData(RouterKind.Unified)]
    public void PaddingCompetesWhereItIsNotMasked(RouterKind kind)
    {
        var layout = new SequenceLayout([0, 2], [true, false]);
        RoutingPlan Plan(bool maskPadding) => new RouterSettings(kind, 1, Scope: RoutingScope.Sequence, MaskPadding: maskPadding)
            .CreatePolicy().Route([0, 0, /**/ 5, 0], 2, layout, training: false);

        Assert.DoesNotContain(1, Plan(maskPadding: true).TokensOf(0).ToArray());
        Assert.Contains(1, Enumerable.Range(0, 2).SelectMany(e => Plan(maskPadding: false).TokensOf(e).ToArray()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void AnImpossibleCapacityIsRefusedByName(double factor)
    {
        var settings = new RouterSettings(RouterKind.Unified, 1, CapacityFactor: factor);

        Assert.Equal(nameof(RouterSettings.CapacityFactor), Assert.Throws<ArgumentOutOfRangeException>(settings.CreatePolicy).ParamName);
    }

    [Fact]
    public void AnImpossiblePriorityIsRefused() => Assert.Throws<ArgumentOutOfRangeException>(
        new RouterSettings(RouterKind.Unified, 1, CapacityFactor: 1, CapacityPriority: (CapacityPriority)7).CreatePolicy);
}
