using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The TorchSharp engine's optimiser.</summary>
public sealed class TorchOptimizerTests : OptimizerTests
{
    private static readonly Version FirstWithOnePassOnTheProcessor = new(0, 103);

    protected override Engine CreateEngine() => TestDevice.CreateEngine();

    [Fact]
    public void TakesOnePassWhereLibtorchHasOne()
    {
        using var engine = TestDevice.CreateEngine();
        var hasOne = TestDevice.Gpu is not null || Version.Parse(NativeLibraries.Version) >= FirstWithOnePassOnTheProcessor;
        Assert.Equal(hasOne, engine.AdamW != AdamWScript.OfSeveralPasses);
    }
}
