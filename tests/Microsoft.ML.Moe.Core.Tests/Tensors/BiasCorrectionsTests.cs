using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

public class BiasCorrectionsTests
{
    [Theory]
    [InlineData(0.9f, 0.999f)]
    [InlineData(0f, 0f)]
    [InlineData(0.9f, 0.99999f)]
    public void AreThoseOfEachStepHoweverManyThereAre(float beta1, float beta2)
    {
        var group = new ParameterGroup([], 0.1f, Beta1: beta1, Beta2: beta2);
        var corrections = new BiasCorrections(group);

        foreach (var steps in new[] { 0, 1, 2, 1000, 17_000, 20_000, 65_535, 65_536, 65_537, 100_000, 10_000_000 })
            Assert.Equal(BiasCorrection.At(group, steps + 1), corrections[steps]);
    }
}
