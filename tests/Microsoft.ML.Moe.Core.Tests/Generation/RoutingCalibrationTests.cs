using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Generation;

/// <summary>Routers that are found for models whose own is no Token Choice by a softmax, too.</summary>
public sealed class RoutingCalibrationTests
{
    [Theory]
    [InlineData("olmoe")]
    [InlineData("deepseek_v3")]
    [InlineData("glm4_moe")]
    [InlineData("phimoe")]
    [InlineData("gpt_oss")]
    public void TheModelsOwnRouterIsAmongThoseThatMayCostAsMuch(string kind)
    {
        using var folder = new TemporaryFolder();
        using var engine = new ManagedEngine(1);
        var model = TinyCausalFamilies.Load(TinyCausalFamilies.Write(folder.Path, TinyCausalFamilies.Config(kind)), engine);
        var random = new Random(5);
        (int[] Ids, int Characters)[] texts = [.. Enumerable.Range(0, 4).Select(_ => (Enumerable.Range(0, 20).Select(_ => random.Next(3, 40)).ToArray(), 20))];

        var routers = RoutingCalibration.Find(model, texts, model.Router.ExpertsPerToken, maximumTokens: null, default);

        Assert.Single(routers, r => r.Router == model.Router);
        Assert.Equal(routers.Select(r => r.Score.Loss).Order(), routers.Select(r => r.Score.Loss));
        Assert.NotEmpty(RoutingCalibration.Find(model, texts, 1, maximumTokens: null, default));
    }
}
