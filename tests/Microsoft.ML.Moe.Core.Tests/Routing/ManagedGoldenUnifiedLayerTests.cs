using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The layer that USMoE's program trains from scratch, on the managed engine.</summary>
public sealed class ManagedGoldenUnifiedLayerTests : GoldenUnifiedLayerTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1);
}
