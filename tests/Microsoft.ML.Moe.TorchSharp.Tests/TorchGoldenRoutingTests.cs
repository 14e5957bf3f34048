using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The TorchSharp engine's routing, where policies choose on the device.</summary>
public sealed class TorchGoldenRoutingTests : GoldenRoutingTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
