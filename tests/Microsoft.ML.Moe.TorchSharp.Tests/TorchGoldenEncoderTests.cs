using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoders on the TorchSharp engine.</summary>
public sealed class TorchGoldenEncoderTests : GoldenEncoderTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
