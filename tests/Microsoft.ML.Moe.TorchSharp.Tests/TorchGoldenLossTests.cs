using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The TorchSharp engine's losses.</summary>
public sealed class TorchGoldenLossTests : GoldenLossTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
