using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published encoder–decoders on the TorchSharp engine.</summary>
public sealed class TorchGoldenSequenceToSequenceTests : GoldenSequenceToSequenceTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
