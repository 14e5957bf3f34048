using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published models write on the managed engine.</summary>
public sealed class ManagedGoldenGenerationTests : GoldenGenerationTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
