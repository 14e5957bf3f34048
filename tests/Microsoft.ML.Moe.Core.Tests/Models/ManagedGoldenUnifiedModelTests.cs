using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Unified routing of published causal mixtures on the managed engine.</summary>
public sealed class ManagedGoldenUnifiedModelTests : GoldenUnifiedModelTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
