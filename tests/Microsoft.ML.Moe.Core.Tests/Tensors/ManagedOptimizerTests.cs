using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The managed engine's optimiser.</summary>
public sealed class ManagedOptimizerTests : OptimizerTests
{
    protected override Engine CreateEngine() => new ManagedEngine(threads: 2);
}
