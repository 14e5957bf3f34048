using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The TorchSharp engine's routers, where policies choose on the device.</summary>
public sealed class TorchGoldenRouterTests : GoldenRouterTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
