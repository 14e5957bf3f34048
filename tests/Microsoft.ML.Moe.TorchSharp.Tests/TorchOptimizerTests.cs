using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The TorchSharp engine's optimiser.</summary>
public sealed class TorchOptimizerTests : OptimizerTests
{
    // Of TorchSharp: the first that comes with libtorch 2.4. One before may be run on a later libtorch.
    private static readonly Version FirstWithOnePassOnTheProcessor = new(0, 103);

    protected override Engine CreateEngine() => TestDevice.CreateEngine();

    [SkippableFact]
    public void TakesOnePassWhereLibtorchHasOne()
    {
        using var engine = TestDevice.CreateEngine();
        Skip.If(TestDevice.Gpu is null && NativeLibraries.Version < FirstWithOnePassOnTheProcessor, "Not known of this libtorch.");
        Assert.NotSame(AdamWScript.OfSeveralPasses, engine.AdamW);
    }
}
