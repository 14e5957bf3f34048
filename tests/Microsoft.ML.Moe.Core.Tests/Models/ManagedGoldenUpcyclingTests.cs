using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Upcycling on the managed engine.</summary>
public sealed class ManagedGoldenUpcyclingTests : GoldenUpcyclingTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
