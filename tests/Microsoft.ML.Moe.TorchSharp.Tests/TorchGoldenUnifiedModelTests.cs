using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Unified routing of published causal mixtures on the TorchSharp engine.</summary>
public sealed class TorchGoldenUnifiedModelTests : GoldenUnifiedModelTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
