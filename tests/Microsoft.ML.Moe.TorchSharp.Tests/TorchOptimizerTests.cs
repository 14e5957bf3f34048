using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The TorchSharp engine's optimiser.</summary>
public sealed class TorchOptimizerTests : OptimizerTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
