using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The TorchSharp engine's training.</summary>
public sealed class TorchGoldenTrainingTests : GoldenTrainingTests
{
    protected override Engine CreateEngine() => TestDevice.CreateEngine();
}
