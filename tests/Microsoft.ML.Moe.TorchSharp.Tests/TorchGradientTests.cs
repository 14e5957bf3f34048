using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Gradients of the TorchSharp engine, taken out and put back.</summary>
public sealed class TorchGradientTests : GradientTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
