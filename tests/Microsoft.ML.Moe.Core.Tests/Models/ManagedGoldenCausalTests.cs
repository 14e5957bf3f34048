using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published causal models on the managed engine.</summary>
public sealed class ManagedGoldenCausalTests : GoldenCausalTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
