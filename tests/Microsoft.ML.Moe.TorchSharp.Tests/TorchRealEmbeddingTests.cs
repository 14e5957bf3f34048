using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;
using Xunit.Abstractions;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Embeddings of the packages' encoders on the TorchSharp engine.</summary>
public sealed class TorchRealEmbeddingTests(ITestOutputHelper output) : RealEmbeddingTests(output)
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
