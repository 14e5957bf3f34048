using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Xunit.Abstractions;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Embeddings of the packages' encoders on the managed engine.</summary>
public sealed class ManagedRealEmbeddingTests(ITestOutputHelper output) : RealEmbeddingTests(output)
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
