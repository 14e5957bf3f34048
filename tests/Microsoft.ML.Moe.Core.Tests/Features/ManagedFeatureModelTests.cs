using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>Models of features on the managed engine.</summary>
public sealed class ManagedFeatureModelTests : FeatureModelTests
{
    protected override Engine CreateEngine() => new ManagedEngine(1);
}
