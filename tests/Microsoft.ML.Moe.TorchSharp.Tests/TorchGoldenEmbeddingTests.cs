using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Embeddings of published folders on the TorchSharp engine.</summary>
public sealed class TorchGoldenEmbeddingTests : GoldenEmbeddingTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
