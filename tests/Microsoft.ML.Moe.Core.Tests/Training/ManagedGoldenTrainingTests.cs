using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The managed engine's training.</summary>
public sealed class ManagedGoldenTrainingTests : GoldenTrainingTests
{
    protected override Engine CreateEngine() => new ManagedEngine();
}
