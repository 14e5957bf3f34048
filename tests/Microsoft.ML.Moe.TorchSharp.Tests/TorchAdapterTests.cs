using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The TorchSharp engine's adapters.</summary>
public sealed class TorchAdapterTests : AdapterTests
{
    protected override bool IsExact => false;

    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
