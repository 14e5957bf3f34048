using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The managed engine's routers, where policies choose on the host.</summary>
public sealed class ManagedGoldenRouterTests : GoldenRouterTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1);
}
