using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The managed engine's adapters.</summary>
public sealed class ManagedGoldenAdapterTests : GoldenAdapterTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
