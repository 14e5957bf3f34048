using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Switch Transformers with a global workspace on the TorchSharp engine.</summary>
public sealed class TorchGoldenGlobalWorkspaceTests : GoldenGlobalWorkspaceTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
