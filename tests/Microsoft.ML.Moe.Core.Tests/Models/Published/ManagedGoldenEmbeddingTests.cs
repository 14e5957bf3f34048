using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Embeddings of published folders on the managed engine.</summary>
public sealed class ManagedGoldenEmbeddingTests : GoldenEmbeddingTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
