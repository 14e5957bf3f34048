using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The managed engine's routing, where policies choose on the host.</summary>
public sealed class ManagedGoldenRoutingTests : GoldenRoutingTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1);
}
