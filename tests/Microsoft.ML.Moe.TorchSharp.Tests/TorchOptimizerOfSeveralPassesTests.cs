using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The optimiser where libtorch has none in one pass.</summary>
public sealed class TorchOptimizerOfSeveralPassesTests : OptimizerTests
{
    protected override Engine CreateEngine()
    {
        TestDevice.SkipWithoutLibrary();
        return new TorchEngine(TestDevice.Gpu, TrainingPrecision.Full) { AdamW = AdamWScript.OfSeveralPasses };
    }
}
