using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Upcycling on the TorchSharp engine.</summary>
public sealed class TorchGoldenUpcyclingTests : GoldenUpcyclingTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
