using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published models write on the TorchSharp engine.</summary>
public sealed class TorchGoldenGenerationTests : GoldenGenerationTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
