using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The operations of the TorchSharp engine.</summary>
public sealed class TorchOperationTests : OperationTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
