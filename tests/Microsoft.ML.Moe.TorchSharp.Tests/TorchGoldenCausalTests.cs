using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Published causal models on the TorchSharp engine.</summary>
public sealed class TorchGoldenCausalTests : GoldenCausalTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
