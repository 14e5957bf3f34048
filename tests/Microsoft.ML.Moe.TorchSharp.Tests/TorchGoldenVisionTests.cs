using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoders of images on the TorchSharp engine.</summary>
public sealed class TorchGoldenVisionTests : GoldenVisionTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
