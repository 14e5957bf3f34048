using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Gradients of the managed engine, taken out and put back.</summary>
public sealed class ManagedGradientTests : GradientTests
{
    protected override Engine CreateEngine() => new ManagedEngine(2);
}
