using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The managed engine's losses.</summary>
public sealed class ManagedGoldenLossTests : GoldenLossTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
