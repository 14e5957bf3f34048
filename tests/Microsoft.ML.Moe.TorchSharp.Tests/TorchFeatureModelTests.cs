using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>Models of features on the TorchSharp engine.</summary>
public sealed class TorchFeatureModelTests : FeatureModelTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
