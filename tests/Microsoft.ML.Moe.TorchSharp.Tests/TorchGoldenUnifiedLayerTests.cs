using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The layer that USMoE's program trains from scratch, on the TorchSharp engine.</summary>
public sealed class TorchGoldenUnifiedLayerTests : GoldenUnifiedLayerTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
